"""From records to figures: curves over seeds, and the channels that equal accuracy costs."""

import math
import statistics

from .kinds import KINDS


def cells(records):
    """Accuracies by augmentation, kind and channels.

    Parameters
    ----------
    records : iterable of dict
        As read by `records.read` or returned by `jobs.train_job`; diverged networks are left out.

    Returns
    -------
    dict of (str, str, int) to list of float
        Keys (augmentation, kind, channels), one accuracy per seed.

    Examples
    --------
    >>> record = {"augmentation": "color", "block": "B2", "channels": 4, "accuracy": 0.5, "seed": 0}
    >>> cells([record, {**record, "seed": 1, "accuracy": 0.7}])
    {('color', 'B2', 4): [0.5, 0.7]}
    """
    found = {}
    for record in sorted(records, key=lambda record: record["seed"]):
        if record["accuracy"] is not None:
            key = (record["augmentation"], record["block"], record["channels"])
            found.setdefault(key, []).append(record["accuracy"])
    return dict(sorted(found.items()))


def curve(found, augmentation, block, axis="channels"):
    """One line of the figure.

    Parameters
    ----------
    found : dict
        From `cells`.
    augmentation : str
    block : str
    axis : str
        ``"channels"`` or ``"parameters"``.

    Returns
    -------
    list of (int, float, float, int)
        Abscissa, mean accuracy, standard deviation over the seeds (0 for one seed), seeds.

    Examples
    --------
    >>> curve({("color", "B2", 4): [0.5, 0.7]}, "color", "B2", "parameters")
    [(374, 0.6, 0.14142135623730948, 2)]
    """
    points = []
    for (augmented, kind, channels), values in sorted(found.items()):
        if (augmented, kind) == (augmentation, block):
            place = channels if axis == "channels" else KINDS[block].parameter_count(channels)
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            points.append((place, statistics.fmean(values), spread, len(values)))
    return points


def abscissa_at(points, accuracy):
    """Where a curve first reaches an accuracy, by interpolation between measured points.

    Linear in the accuracy and in the logarithm of the abscissa; never beyond the measured range.

    Parameters
    ----------
    points : list
        From `curve`.
    accuracy : float

    Returns
    -------
    float or None
        None if the curve starts above or never gets there.

    Examples
    --------
    >>> round(abscissa_at([(4, 0.2, 0, 1), (16, 0.6, 0, 1)], 0.4), 6)
    8.0
    """
    if not points or points[0][1] > accuracy:
        return None
    for (left, low, *_), (right, high, *_) in zip(points, points[1:], strict=False):
        if low <= accuracy <= high and high > low:
            share = (accuracy - low) / (high - low)
            return math.exp(math.log(left) + share * (math.log(right) - math.log(left)))
    return None


def ratio_at(found, augmentation, accuracy, block, base="B1", axis="channels"):
    """How many times more channels (or parameters) one kind needs than another.

    Parameters
    ----------
    found : dict
        From `cells`.
    augmentation : str
    accuracy : float
        Level at which both are compared.
    block, base : str
        The ratio is that of `base` to `block`.
    axis : str

    Returns
    -------
    float or None
        None if one of the two was not measured at this level.
    """
    wide = abscissa_at(curve(found, augmentation, base, axis), accuracy)
    narrow = abscissa_at(curve(found, augmentation, block, axis), accuracy)
    return None if wide is None or narrow is None else wide / narrow


def missing(records, grid):
    """Networks of a grid without a record.

    Parameters
    ----------
    records : iterable of dict
    grid : Grid

    Returns
    -------
    list of Network
    """
    names = {record["name"] for record in records}
    return [network for network in grid.networks() if network.name not in names]
