"""From records to figures: curves over seeds, what equal accuracy costs, what each factor adds."""

import itertools
import math
import statistics
from collections.abc import Iterable

from ..checks import choice, integer, kind, real, shown
from .kinds import KINDS
from .networks import AUGMENTATIONS
from .settings import Grid

FACTORS = ("overlap", "order", "mixing")
# which kind has which factors: from B=1 to B=2, and with strided convolutions
PUBLISHED_CUBE = {
    "": "B1", "overlap": "B1max3", "order": "offset2", "mixing": "same2",
    "overlap order": "B2offset", "overlap mixing": "B2same", "order mixing": "conv2",
    "overlap order mixing": "B2",
}
STRIDED_CUBE = {
    **PUBLISHED_CUBE, "overlap order": "offset3", "overlap mixing": "same3",
    "overlap order mixing": "conv3",
}
# Student's t at 97.5 percent, by the number of values
QUANTILES = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306,
             10: 2.262}
NORMAL = 1.959964  # its limit
MEASURES = {"accuracy": "training accuracy", "test_accuracy": "test accuracy"}


class _NotTrained(KeyError):
    """A sentence: a KeyError shows its text as Python writes it."""

    __str__ = Exception.__str__


class _Measured(dict):
    """Accuracies, or what adds to them, that know what figures call them."""

    measure = MEASURES["accuracy"]

    def __missing__(self, key):
        """Name what is there: who asks for another width wants to know which are stored."""
        near = [other[-1] for other in self if isinstance(key, tuple) and other[:-1] == key[:-1]]
        raise _NotTrained(f"{key!r} is not among the {len(self)} that were measured"
                          + f"; of {key[:-1]} there are {', '.join(map(str, near))}" * bool(near))


def _measured(values, field):
    found = _Measured(values)
    found.measure = MEASURES[field]
    return found


def quantity(found, dotted=()):
    """Which accuracy a figure shows: that of `cells` or `contributions`.

    Of a dictionary that was made from theirs it is not known: the word is *accuracy*.

    Examples
    --------
    >>> found = cells([{"augmentation": "color", "block": "B2", "channels": 4, "accuracy": 0.5,
    ...                 "seed": 0}])
    >>> quantity(found), quantity({**found})
    ('training accuracy', 'accuracy')
    """
    names = [getattr(part, "measure", "accuracy") for part in (found, dotted) if part]
    if len(set(names)) == 2:
        return f"{names[0]}, dotted: {names[1]}"
    return names[0] if names else "accuracy"


def cells(records, field="accuracy"):
    """Accuracies by augmentation, kind and channels.

    Parameters
    ----------
    records : iterable of dict
        The second that `records.read` returns, or those of `jobs.train_job`; networks without this
        accuracy are left out, such as diverged ones.
    field : str
        ``"accuracy"`` on augmented training images, or ``"test_accuracy"``.

    Returns
    -------
    dict of (str, str, int) to list of float
        Keys (augmentation, kind, channels), one accuracy per seed; figures drawn of it say which
        accuracy it is.  For a part of it, choose among the records: of entries that are picked
        out into another dict nobody knows which accuracy they are.

    Raises
    ------
    TypeError
        If something is no record.
    ValueError
        If a network has two results: records of other settings belong to another call; or if there
        is no such field.

    Examples
    --------
    >>> record = {"augmentation": "color", "block": "B2", "channels": 4, "accuracy": 0.5, "seed": 0}
    >>> cells([record, {**record, "seed": 1, "accuracy": 0.7}])
    {('color', 'B2', 4): [0.5, 0.7]}
    """
    found = {}
    for (*key, _), value in sorted(_reached("cells", records, field).items(),
                                   key=lambda item: item[0][-1]):
        found.setdefault(tuple(key), []).append(value)
    return _measured(sorted(found.items()), field)


def _networks(operation, records, fields=("augmentation", "block", "channels", "seed")):
    """Records as a list, each of a network: `records.read` returns a header beside them.

    What `pooled.train` and `separation.trained_usage` return has seeds, but no augmentation.
    """
    records = list(records)
    for record in records:
        if not isinstance(record, dict) or not record.keys() >= {*fields}:
            raise TypeError(f"{operation}: {shown(record)} is no record of a network; need those "
                            "that records.read(path)[1] has")
    return records


def _reached(operation, records, field):
    """Accuracy of every network (augmentation, kind, channels, seed) that has one."""
    choice(f"{operation}: field", field, MEASURES)  # of another none has one
    found = {}
    for record in _networks(operation, records):
        if record.get(field) is not None:
            network = tuple(record[key] for key in ("augmentation", "block", "channels", "seed"))
            if found.setdefault(network, record[field]) != record[field]:
                raise ValueError(
                    f"{operation}: two results of {network}, {found[network]} and {record[field]}; "
                    "need records of equal settings, every network once: one call for each file"
                    + " and task" * ("task" in record))
    return found


def curve(found, augmentation, block, axis="channels"):
    """One line of the figure.

    Parameters
    ----------
    found : dict
        From `cells`.
    augmentation : str
    block : str
    axis : str
        ``"channels"``, ``"parameters"`` or ``"operations"`` of one forward pass.

    Returns
    -------
    list of (int, float, float, int)
        Abscissa, mean accuracy, standard deviation over the seeds (0 for one seed), seeds.

    Raises
    ------
    TypeError
        If these are no accuracies of `cells`, but the records that it takes.
    ValueError
        If there is no such augmentation, kind or axis.

    Examples
    --------
    >>> curve({("color", "B2", 4): [0.5, 0.7]}, "color", "B2", "parameters")
    [(374, 0.6, 0.14142135623730948, 2)]
    """
    kind("curve: found", found, dict)
    choice("curve: augmentation", augmentation, (*AUGMENTATIONS, "none"))
    choice("curve: block", block, dict.fromkeys((*KINDS, *(name for _, name, _ in found))))
    points = []
    for (augmented, name, channels), values in sorted(found.items()):
        if (augmented, name) == (augmentation, block):
            place = size_of(block, channels, axis)
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            points.append((place, statistics.fmean(values), spread, len(values)))
    return points


def size_of(block, channels, axis):
    """Size of a network: its channels, its parameters, or the operations of a forward pass.

    Examples
    --------
    >>> size_of("conv2", 4, "parameters"), size_of("conv2", 4, "operations")
    (374, 35536)
    """
    choice("size_of: axis", axis, ("channels", "parameters", "operations"))
    if axis == "channels":
        return channels
    if axis == "parameters":
        return KINDS[block].parameter_count(channels)
    return KINDS[block].forward_operations(channels)


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
    >>> points = [(4, 0.2, 0, 1), (16, 0.6, 0, 1)]
    >>> [round(abscissa_at(points, level), 6) for level in (0.2, 0.4, 0.6)]
    [4.0, 8.0, 16.0]
    """
    def equals(height):  # a mean of 0.84, 0.81 and 0.75 may be 0.7999999999999999
        return math.isclose(height, accuracy, rel_tol=1e-12)

    if points and equals(points[0][1]):
        return float(points[0][0])
    if not points or points[0][1] > accuracy:
        return None
    for (left, low, *_), (right, high, *_) in zip(points, points[1:], strict=False):
        if low <= accuracy and (accuracy <= high or equals(high)) and high > low:
            share = min((accuracy - low) / (high - low), 1.0)
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

    Raises
    ------
    TypeError
        If something is no record, or the grid is none: an entry of `PRESETS` has settings and grid.
    """
    kind("missing: grid", grid, Grid)
    names = {record["name"] for record in _networks("missing", records, ("name",))}
    return [network for network in grid.networks() if network.name not in names]


def interval(values):
    """Mean and half the width of its 95 percent interval, for normally distributed values.

    Parameters
    ----------
    values : sequence of float

    Returns
    -------
    float, float or None
        None for a single value.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> [round(number, 3) for number in interval([0.1, 0.2, 0.3])]
    [0.2, 0.248]
    """
    values = [real("interval: value", value)
              for value in kind("interval: values", values, Iterable)]
    if not values:
        raise ValueError("interval: no values; contributions have one for every seed that all "
                         "eight kinds were trained with, complete_widths with the same cube and "
                         "field says where there are some")
    if len(values) == 1:
        return values[0], None
    spread = statistics.stdev(values) / len(values) ** 0.5
    return statistics.fmean(values), _quantile(len(values)) * spread


def _quantile(count):
    """Student's t at 97.5 percent; beyond the table by Fisher's series in 1 / (count - 1)."""
    if count in QUANTILES:
        return QUANTILES[count]
    z, rest = NORMAL, count - 1
    return (z + (z**3 + z) / (4 * rest) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * rest**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * rest**3))


def contributions(records, augmentation, channels, cube=PUBLISHED_CUBE, field="accuracy"):
    """What each factor adds to the accuracy, in every order in which they can be switched on.

    Parameters
    ----------
    records : iterable of dict
    augmentation : str
    channels : int
    cube : dict
        `PUBLISHED_CUBE` (from B1 to B2) or `STRIDED_CUBE` (from B1 to conv3).
    field : str
        See `cells`.

    Returns
    -------
    dict of tuple to dict of str to list of float
        Order of the factors -> factor -> what it adds at its turn, one value per seed that all
        eight kinds were trained with.

    Raises
    ------
    TypeError
        If something is no record.
    ValueError
        If a network has two results, as in `cells`, or there is no such augmentation or field.

    Examples
    --------
    >>> height = {name: 0.1 + 0.2 * ("order mixing" in key) for key, name in PUBLISHED_CUBE.items()}
    >>> records = [{"block": block, "augmentation": "color", "channels": 4, "seed": 0,
    ...             "accuracy": value} for block, value in height.items()]
    >>> found = contributions(records, "color", 4)["order", "overlap", "mixing"]
    >>> {factor: [round(value, 3) for value in values] for factor, values in found.items()}
    {'order': [0.0], 'overlap': [0.0], 'mixing': [0.2]}
    """
    choice("contributions: augmentation", augmentation, (*AUGMENTATIONS, "none"))
    channels = integer("contributions: channels", channels, 1)
    reached = {(block, seed): value for (augmented, block, width, seed), value in _reached(
        "contributions", records, field).items() if (augmented, width) == (augmentation, channels)}
    seeds = [seed for seed in sorted({seed for _, seed in reached})
             if all((block, seed) in reached for block in cube.values())]
    table = _measured({}, field)
    for order in itertools.permutations(FACTORS):
        table[order] = {}
        for place, factor in enumerate(order):
            before, after = (cube[" ".join(name for name in FACTORS if name in order[:length])]
                             for length in (place, place + 1))
            table[order][factor] = [reached[after, seed] - reached[before, seed] for seed in seeds]
    return table


def averaged(table):
    """Every factor's contribution, averaged over the orders (its Shapley value).

    The three values of one seed add up to the whole difference between the first and last kind.

    Parameters
    ----------
    table : dict
        From `contributions`.

    Returns
    -------
    dict of str to list of float
        Factor -> one value per seed.

    Examples
    --------
    >>> averaged({("a", "b"): {"a": [1.0], "b": [0.5]}, ("b", "a"): {"b": [0.0], "a": [1.5]}})
    {'a': [1.25], 'b': [0.25]}
    """
    first = next(iter(table.values()))
    return {factor: [statistics.fmean(values) for values in zip(
                *(part[factor] for part in table.values()), strict=True)]
            for factor in sorted(first)}


def complete_widths(records, augmentation, cube=PUBLISHED_CUBE, field="accuracy"):
    """Channel numbers at which at least one seed has all eight kinds of a cube, with an accuracy.

    Arguments as for `contributions`.

    Examples
    --------
    >>> records = [{"block": block, "augmentation": "color", "channels": 4, "seed": 0,
    ...             "accuracy": 0.5} for block in PUBLISHED_CUBE.values()]
    >>> complete_widths(records, "color"), complete_widths(records[1:], "color")
    ([4], [])
    """
    records = _networks("complete_widths", records)
    widths = sorted({record["channels"] for record in records})
    return [width for width in widths
            if averaged(contributions(records, augmentation, width, cube, field))["order"]]
