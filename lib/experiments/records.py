"""Results of trained networks on disk: what is the record of one, and the file of a sweep."""

from ..checks import shown
from ..results import STORED, Results, ResultsError, is_share
from ..results import read as read_results

__all__ = ["STORED", "RecordsError", "ResultsFile", "as_network", "read", "refuse_download"]

FIELDS = {"name", "block", "channels", "augmentation", "seed", "accuracy"}
RecordsError = ResultsError


def as_network(entry):
    """The record of a network, with its block where version 1.0 wrote the window alone.

    Parameters
    ----------
    entry : dict

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If it is no such record, or a value in it is impossible.

    Examples
    --------
    >>> as_network({"name": "B1", "accuracy": 7})
    Traceback (most recent call last):
    ...
    ValueError: is not the record of a network: it lacks augmentation, block, channels, seed
    """
    if "window" in entry:
        entry.setdefault("block", f"B{entry['window']}")
    missing = sorted(FIELDS - set(entry))
    if missing or entry.get("kind", "network") != "network":
        raise ValueError("is not the record of a network"
                         + f": it lacks {', '.join(missing)}" * bool(missing))
    curve = entry.get("curve", {})
    diverged = str(entry.get("status", "")).startswith("diverged")
    wrong = [name for name in ("accuracy", "test_accuracy")
             if entry.get(name) is not None and not is_share(entry[name])]
    wrong += ["accuracy"] * (entry["accuracy"] is None and not diverged)
    wrong += ["channels"] * (type(entry["channels"]) is not int or entry["channels"] < 1)
    wrong += ["seed"] * (type(entry["seed"]) is not int)
    wrong += ["curve"] * (not isinstance(curve, dict)
                          or not all(map(is_share, _list(curve, "accuracy")))
                          or not all(type(value) in (int, float) and value >= 0
                                     for value in _list(curve, "loss")))
    if wrong:
        raise ValueError(f"is not the record of a network: {wrong[0]}="
                         f"{str(entry.get(wrong[0]))[:40]} is impossible")
    return entry


def _list(curve, name):
    """What a curve has under a name; something impossible where that is no list."""
    values = curve.get(name, [])
    return values if isinstance(values, list) else [None]


def read(path):
    """Header and network records of a results file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    header : dict or None
        None if the file does not exist or holds no whole line.
    records : list of dict
        Without a torn last line, every network once.

    Raises
    ------
    RecordsError
        If the file does not start with a header of a known format, or a complete line is damaged
        or no record.
    """
    return read_results(path, as_network)[:2]


def refuse_download(path):
    """Say before a download that a results file belongs to other images than the published ones.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    RecordsError
        If the file holds results of a local folder, which is not known to be the published one.
    """
    data = (read_results(path).header or {}).get("data")
    sets = [data, *data.values()] if isinstance(data, dict) else []  # one, or training and test
    if any(isinstance(images, dict) and images.get("official") is False for images in sets):
        raise RecordsError(
            f"refuse_download: {path} holds results of images from a local folder, not of the "
            "published ones, which would be downloaded now; name the folder (--data-folder), or "
            "another results file (--output)")


class ResultsFile(Results):
    """One results file, to which finished networks are appended.

    Parameters
    ----------
    path : path-like
    settings : Settings
    data : dict, optional
        Provenance of the data, with ``fingerprint``: ``{**images.provenance, "fingerprint":
        images.fingerprint}``.  Without data the file is only looked at: it is neither made nor
        compared with the data, and takes no networks.
    make : bool
        Whether to make the file now.

    Raises
    ------
    RecordsError
        If the data have no fingerprint, the folder cannot be written, or the file holds results of
        other settings or data, or something else.

    Examples
    --------
    >>> import tempfile
    >>> from lib.experiments.settings import Settings
    >>> folder = tempfile.mkdtemp()
    >>> results = ResultsFile(folder + "/a.jsonl", Settings(), {"fingerprint": "0"})
    >>> record = {"name": "B1-C2-color-s0", "block": "B1", "channels": 2,
    ...           "augmentation": "color", "seed": 0, "accuracy": 0.5}
    >>> results.append(record), results.append(record)
    (['B1-C2-color-s0'], [])
    """

    def __init__(self, path, settings, data=None, make=True):
        if data is not None and not (isinstance(data, dict) and data.get("fingerprint")):
            raise RecordsError(f"ResultsFile: data={shown(data)}; need a dictionary with the "
                               "fingerprint of the images, which tells them from others")
        super().__init__(path, settings.as_dict(), {"data": data}, as_network,
                         make and data is not None)

    def append(self, *records):
        """Store finished networks, all or none, each once; the names that were not stored."""
        if self.header["data"] is None:  # networks of other images would stand among these
            raise RecordsError(f"append: {self.path} was opened without data and is only looked "
                               "at; need ResultsFile(path, settings, data)")
        return super().append(*(
            {"kind": "network", **record} if isinstance(record, dict) else record
            for record in records))
