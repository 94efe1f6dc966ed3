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


STORED = Path(__file__).resolve().parents[2] / "notebooks" / "results"  # committed with the course


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
        None if the file does not exist or is empty.
    records : list of dict
        Without a torn last line.

    Raises
    ------
    RecordsError
        If a complete line is not JSON or the file does not start with a header.
    """
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        return None, []
    except OSError as error:
        raise RecordsError(f"read: cannot read {path}: {error}") from error
    lines = raw.split(b"\n")[:-1]  # what follows the last newline is torn
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(json.loads(line))
        except ValueError as error:
            raise RecordsError(f"read: {path}, line {number} is not JSON: {error}") from error
    if not entries:
        return None, []
    if entries[0].get("kind") != "header":
        raise RecordsError(f"read: {path} does not start with a header; is it a results file?")
    records = [entry for entry in entries[1:] if entry.get("kind") == "network"]
    for record in records:  # files of version 1.0 know the published networks only
        if "window" in record:
            record.setdefault("block", f"B{record['window']}")
    return entries[0], records


class ResultsFile:
    """One results file, to which finished networks are appended.

    Parameters
    ----------
    path : path-like
    settings : Settings
    data : dict
        Provenance of the data, with ``fingerprint``.

    Raises
    ------
    RecordsError
        If the folder cannot be written, or the file holds results of other settings or data.

    Examples
    --------
    >>> import tempfile
    >>> from lib.experiments.settings import Settings
    >>> folder = tempfile.mkdtemp()
    >>> results = ResultsFile(folder + "/a.jsonl", Settings(), {"fingerprint": "0"})
    >>> results.append({"name": "B1-C2-color-s0"}), results.append({"name": "B1-C2-color-s0"})
    (True, False)
    """

    def __init__(self, path, settings, data):
        self.path = Path(path)
        self.header = {
            "kind": "header", "format": 1, "settings": settings.as_dict(),
            "identifier": settings.identifier, "data": data,
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked() as file:
                self._check_or_start(file)
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
        line = json.dumps(entry, sort_keys=True).encode() + b"\n"
        written = file.write(line)
        if written != len(line):
            file.truncate(whole)
            raise OSError(f"only {written} of {len(line)} bytes could be written")
        os.fsync(file.fileno())

    def _check_or_start(self, file):
        header, _ = read(self.path)
        if header is None:
            self._write(file, self.header)
            return
        different = [
            f"{key}: {header['settings'].get(key)!r} there, {value!r} here"
            for key, value in self.header["settings"].items()
            if header["settings"].get(key) != value
        ]
        if not different and header.get("identifier") != self.header["identifier"]:
            different = ["settings that this version does not know"]
        there, here = header["data"].get("fingerprint"), self.header["data"].get("fingerprint")
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
