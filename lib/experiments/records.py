"""Results on disk: a file of JSON lines that survives being killed at any moment.

The first line is a header with the settings and the provenance of the data; every other line is
one finished network.  A line is written by a single call while the file is locked, and synced to
disk.  A torn last line (power cut, full disk) is cut off before the next one is written.
"""

import contextlib
import json
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: one sweep per file is then up to the user
    fcntl = None


_LIB = Path(__file__).resolve().parents[1]
_HOME = _LIB.parent if (_LIB.parent / "notebooks" / "results").is_dir() else _LIB  # when installed
STORED = _HOME / "notebooks" / "results"  # committed with the course
FORMAT = 1
FIELDS = {"name", "block", "channels", "augmentation", "seed", "accuracy"}


class RecordsError(RuntimeError):
    """The results file cannot be used; the message says why and what to do."""


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
        If the file does not start with a header of this format, or a complete line is no record.
    """
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        return None, []
    except OSError as error:
        raise RecordsError(f"read: cannot read {path}: {error}") from error
    header, records = None, {}
    for number, line in enumerate(raw.split(b"\n")[:-1], start=1):  # the last piece is torn
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise RecordsError(f"read: {path}, line {number} is not JSON: {error}") from error
        kind = entry.get("kind") if isinstance(entry, dict) else None
        if header is None:
            if kind != "header" or entry.get("format") != FORMAT:
                raise RecordsError(f"read: {path} does not start with a header of format "
                                   f"{FORMAT}; is it a results file?")
            header = entry
            continue
        if kind == "network" and "window" in entry:  # version 1.0 knew the published kinds only
            entry.setdefault("block", f"B{entry['window']}")
        if kind != "network" or not FIELDS <= set(entry) or not _is_accuracy(entry["accuracy"]):
            raise RecordsError(f"read: {path}, line {number} is not the record of a network")
        records.setdefault(entry["name"], entry)
    return header, list(records.values())


def _is_accuracy(value):
    return value is None or (isinstance(value, (int, float)) and 0 <= value <= 1)


class ResultsFile:
    """One results file, to which finished networks are appended.

    Parameters
    ----------
    path : path-like
    settings : Settings
    data : dict, optional
        Provenance of the data, with ``fingerprint``.  Without it the file is only looked at: it is
        neither made nor compared with the data.

    Raises
    ------
    RecordsError
        If the folder cannot be written, or the file holds results of other settings or data, or
        something else.

    Examples
    --------
    >>> import tempfile
    >>> from lib.experiments.settings import Settings
    >>> folder = tempfile.mkdtemp()
    >>> results = ResultsFile(folder + "/a.jsonl", Settings(), {"fingerprint": "0"})
    >>> record = {"name": "B1-C2-color-s0", "block": "B1", "channels": 2,
    ...           "augmentation": "color", "seed": 0, "accuracy": 0.5}
    >>> results.append(record), results.append(record)
    (True, False)
    """

    def __init__(self, path, settings, data=None):
        self.path = Path(path)
        self.header = {
            "kind": "header", "format": FORMAT, "settings": settings.as_dict(),
            "identifier": settings.identifier, "data": data,
        }
        if data is None:
            self._check(read(self.path)[0])
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked() as file:
                header, _ = read(self.path)
                self._check(header)
                if header is None:
                    file.seek(0)
                    torn = file.read()
                    if not _line(self.header).startswith(torn):
                        raise RecordsError(f"ResultsFile: {self.path} exists and is not a results "
                                           "file; choose another --output")
                    self._write(file, self.header)
        except OSError as error:
            raise RecordsError(
                f"ResultsFile: cannot write {self.path}: {error}; choose another --output"
            ) from error

    @contextlib.contextmanager
    def _locked(self):
        with open(self.path, "ab+", buffering=0) as file:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _write(self, file, entry):
        """Cut a torn line off, then write one line with one call and sync it."""
        file.seek(0)
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            file.truncate(whole)
        line = _line(entry)
        written = file.write(line)
        if written != len(line):
            file.truncate(whole)
            raise OSError(f"only {written} of {len(line)} bytes could be written")
        os.fsync(file.fileno())

    def _check(self, header):
        """Refuse results of other settings or data; the stored identifier has the last word."""
        if header is None:
            return
        different = [
            f"{key}: {header['settings'].get(key)!r} there, {self.header['settings'].get(key)!r} "
            "here"
            for key in sorted({*header["settings"], *self.header["settings"]})
            if header["settings"].get(key) != self.header["settings"].get(key)
        ]
        if not different and header["identifier"] != self.header["identifier"]:
            different = [f"identifier: {header['identifier']!r} there, "
                         f"{self.header['identifier']!r} here"]
        if self.header["data"] is not None:
            there, here = header["data"].get("fingerprint"), self.header["data"]["fingerprint"]
            if there != here:
                different.append(f"data fingerprint: {there!r} there, {here!r} here")
        if different:
            raise RecordsError(
                f"ResultsFile: {self.path} holds results of other settings ("
                + "; ".join(different) + "); choose another --output"
            )

    def names(self):
        """Names of the networks that are stored."""
        return {record["name"] for record in read(self.path)[1]}

    def append(self, record):
        """Store one finished network, once.

        Returns
        -------
        bool
            False if a network of this name is stored already.

        Raises
        ------
        RecordsError
            If the line cannot be written.
        """
        try:
            with self._locked() as file:
                if record["name"] in self.names():
                    return False
                self._write(file, {"kind": "network", **record})
                return True
        except OSError as error:
            raise RecordsError(
                f"append: cannot write to {self.path}: {error}; what was stored is intact"
            ) from error


def _line(entry):
    return json.dumps(entry, sort_keys=True).encode() + b"\n"
