"""Result files: JSON lines that can be continued after being killed at any moment.

The first line is a header: the settings, an identifier made from them, the version of the format.
Every other line is one record with a name of its own.  A record is written by one call while the
file is locked and synced to disk; every line carries a checksum.  What an interrupted write left
of a line is cut off before the next one is written.  Files of format 1 have no checksums; they
stay readable and can be continued.
"""

import codecs
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from .checks import in_one_line
from .locks import locked, require_regular

__all__ = ["Contents", "FORMAT", "Results", "ResultsError", "STORED", "identifier", "is_share",
           "program", "read"]

_LIB = Path(__file__).resolve().parent
_HOME = _LIB.parent if (_LIB.parent / "notebooks" / "results").is_dir() else _LIB  # when installed
STORED = _HOME / "notebooks" / "results"  # committed with the course
FORMAT = 2  # lines of format 2 have a checksum
_START = b'{"check": "'  # of every header that this version writes
_OWN = ("check", "kind", "format", "settings", "identifier")  # in a header, beside what it is about


class ResultsError(ValueError):
    """The results file cannot be used; the message says why and what to do."""


class Contents(NamedTuple):
    """What a results file holds.

    Parameters
    ----------
    header : dict or None
        None if the file does not exist or holds no whole line.
    records : list of dict
        Every name once, in the order of the file.
    unchecked : int
        How many of the records have no checksum, because an older version wrote them.
    """

    header: dict | None
    records: list[dict]
    unchecked: int


def identifier(settings: Mapping) -> str:
    """Twelve hexadecimal digits that change with every setting.

    Examples
    --------
    >>> identifier({"steps": 1, "rate": 0.5}) == identifier({"rate": 0.5, "steps": 1})
    True
    """
    return hashlib.sha256(json.dumps(_plain(settings), sort_keys=True).encode()).hexdigest()[:12]


def _plain(entry):
    """What will be read: a key 16 becomes "16", which stands before "2" and not behind."""
    return json.loads(json.dumps(entry), object_pairs_hook=_once)


def _once(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"has a key twice, as a number and as a text: {[key for key, _ in pairs]}")
    return found


def read(path: str | os.PathLike, parse: Callable[[dict], dict] = dict) -> Contents:
    """Header and records of a results file.

    Parameters
    ----------
    path : path-like
    parse : callable
        Takes a record and returns it, completed if it likes; raises `ValueError` if it is none.

    Returns
    -------
    Contents

    Raises
    ------
    ResultsError
        If the file does not start with a header that this version knows, or a line is damaged, no
        record, or contradicts another one of the same name.
    """
    return _contents(path, parse)


def _contents(path, parse, require=None):
    path = os.path.expanduser(path)
    raw = _raw(path)
    try:
        return _parsed(raw, path, parse, require)[0]
    except ResultsError:  # a torn line may be cut off meanwhile: two are read in one
        again = _raw(path)
        if again == raw:
            raise
    return _parsed(again, path, parse, require)[0]


def _raw(path):
    try:
        require_regular(path)
        return Path(path).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ResultsError(f"read: cannot read {path}: {error}; choose another file") from error


def _parsed(raw, path, parse, require=None):
    """Contents of the bytes of a file, and how many of its bytes are whole lines.

    What is required of the header comes first: records of another program are no damaged ones.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # > of Windows PowerShell
        raise ResultsError(f"read: {path} is written in UTF-16, as > of Windows PowerShell does; "
                           "write it again in UTF-8, or take the files that it was made from")
    header, records, places, unchecked, whole = None, {}, {}, 0, 0
    for number, piece in enumerate(raw.split(b"\n"), start=1):
        end = whole + len(piece) + 1
        if end > len(raw) and not piece:
            break
        if header and not piece.strip(b" \t\r"):  # a line that an editor left empty
            whole = min(end, len(raw))
            continue
        try:
            entry = json.loads(piece)
        except (ValueError, RecursionError) as error:
            if end > len(raw) and (header or piece.startswith(_START) or _START.startswith(piece)):
                break  # torn: a beginning of a JSON object is never one
            why = ("holds zeros, as a power cut leaves them" if b"\0" in piece
                   else f"is not JSON: {error}")  # which would speak of UTF-32
            raise ResultsError(f"read: {path}, line {number} {why}; {_advice(header)}") from error
        try:
            checked = _take_checksum(entry)
            if header is None:
                header = _as_header(entry, checked)
                if require:
                    require(header)
            else:
                if entry.get("kind") == "header":
                    raise ResultsError(f"read: {path}, line {number} {_second(header, entry)}")
                if not checked and header.get("format", 1) > 1:
                    raise ValueError("has no checksum")
                try:
                    entry = _as_record(entry, parse)
                except ValueError as error:
                    if not checked and records:
                        raise
                    raise ResultsError(f"read: {path}, line {number} {error}; is it a file of this "
                                       "program? If not, choose another one") from error
                name, place = entry["name"], places.setdefault(entry["name"], number)
                if _measured(records.setdefault(name, entry)) != _measured(entry):
                    raise ValueError(f"and line {place} hold different results of {name}")
                unchecked += not checked and place == number
        except ResultsError:
            raise
        except ValueError as error:
            raise ResultsError(f"read: {path}, line {number} {error}; {_advice(header)}") from error
        whole = min(end, len(raw))
    return Contents(header, list(records.values()), unchecked), whole


def _second(header, other):
    """What is wrong with one more header, and what to do: files were put one behind the other."""
    first, second = ({"settings": found.get("settings"), "identifier": found.get("identifier"),
                      **dict(_fingerprints(found))} for found in (header, other))
    if first == second:
        return "is a second header, of the same settings; delete this line alone"
    return ("is the header of another file, whose settings or data differ; delete it and the lines "
            "that came with it")


def _advice(header):
    return ("if this is the right file, delete the line: its result is computed again"
            if header else "is it a results file? If not, choose another one")


def _take_checksum(entry):
    """Whether a line has a checksum, which is taken out; `ValueError` if it is wrong."""
    if not isinstance(entry, dict):
        raise ValueError("is not a JSON object")
    try:
        right = _checksum(entry)
    except (ValueError, RecursionError) as error:
        raise ValueError("holds a number that is not finite") from error
    found = entry.pop("check", None)
    if found not in (None, right):
        raise ValueError("was changed or damaged: its checksum is wrong")
    return found is not None


def _checksum(entry):
    """Of everything but the checksum; independent of spaces, line ends and the order of keys."""
    rest = {key: value for key, value in entry.items() if key != "check"}
    text = json.dumps(rest, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _as_header(entry, checked):
    version = entry.get("format", 1)
    if (entry.get("kind") != "header" or not isinstance(entry.get("settings"), dict)
            or not isinstance(entry.get("identifier"), str) or type(version) is not int):
        raise ValueError("is no header")
    if not 1 <= version <= FORMAT:
        raise ValueError(f"is a header of format {version}, this version of the course knows "
                         f"formats 1 to {FORMAT}")
    if version > 1 and not checked:
        raise ValueError("has no checksum")
    return entry


def _as_record(entry, parse):
    if not isinstance(entry.get("name"), str) or entry.get("kind") == "header":
        raise ValueError("is no record")
    return parse(entry)


def _measured(record):
    """What two records of one name must agree on: everything but where and when."""
    return {key: value for key, value in record.items() if key != "provenance"}


class Results:
    """One results file, to which records are appended.

    Parameters
    ----------
    path : path-like
        A leading ``~`` is the home folder; what is relative belongs to the folder of this moment.
    settings : dict
        What all records share, as JSON values.
    about : dict, optional
        More for the header, such as where the data come from.  Values of keys that end in
        ``fingerprint``, at any depth, must agree with those of an existing file; for
        ``test_fingerprint``, if it has one.
    parse : callable
        As for `read`.
    make : bool
        Whether to make the file now; otherwise it is only looked at.

    Raises
    ------
    ResultsError
        If the file cannot be written, or holds results of other settings or data, or something
        else.

    Examples
    --------
    >>> import tempfile
    >>> results = Results(tempfile.mkdtemp() + "/a.jsonl", {"steps": 1})
    >>> results.append({"name": "one", "error": 0.5}), results.append({"name": "one"})
    (['one'], [])
    """

    def __init__(self, path, settings: Mapping, about: Mapping | None = None,
                 parse: Callable[[dict], dict] = dict, make: bool = True):
        self.path, self.parse = Path(os.path.expanduser(path)), parse
        with contextlib.suppress(OSError):  # the folder where we are is gone: said by `append`
            self.path = self.path.absolute()  # a caller who changes the folder keeps the file
        about = {} if about is None else about
        if (not isinstance(settings, Mapping) or not isinstance(about, Mapping)
                or not about.keys().isdisjoint(_OWN)):  # one of the two would be lost
            raise ResultsError(f"Results: settings={settings!r:.60}, about={about!r:.60}; need "
                               f"dictionaries, about without {', '.join(_OWN)}, which are names of "
                               "the header's own")
        try:
            self.header = json.loads(json.dumps({
                **about, "kind": "header", "format": FORMAT, "settings": settings,
                "identifier": identifier(settings)}, allow_nan=False), object_pairs_hook=_once)
        except (TypeError, ValueError) as why:
            raise ResultsError(f"Results: settings and about must be JSON values: {why}") from why
        _contents(self.path, parse, self._require_mine)
        if make:
            self.append()

    @property
    def contents(self) -> Contents:
        """What the file holds now."""
        return _contents(self.path, self.parse, self._require_mine)

    def names(self) -> set[str]:
        """The names of the records that are stored."""
        return {record["name"] for record in self.contents.records}

    def require(self, names: Iterable[str]) -> None:
        """Raise a `ResultsError` if these are not all stored: the file was exchanged meanwhile."""
        if lost := {*names} - self.names():
            raise ResultsError(f"append: {self.path} was exchanged, lacks {min(lost)}; start again")

    def append(self, *records: Mapping) -> list[str]:
        """Store records, all of them or none, each once.

        Keys that are numbers are read back as texts, as JSON has it.

        Returns
        -------
        list of str
            The names that were not stored before.

        Raises
        ------
        ResultsError
            If they cannot be written or read back, or two of them differ under one name; nothing is
            changed.  One whose name is stored already stays out, whatever it holds.
        """
        plain, once = [], {}
        for record in records:
            if not isinstance(record, Mapping):
                raise ResultsError(f"append: {record!r:.60} is no record; need single dictionaries")
            try:
                plain.append(_plain({**record}))
                _as_record({**plain[-1]}, self.parse)
                if _measured(once.setdefault(plain[-1]["name"], plain[-1])) != _measured(plain[-1]):
                    raise ValueError("is given twice, with different results; name each apart")
                if "check" in record:
                    raise ValueError("has an entry named check, which is the name of the checksum")
                _take_checksum({**plain[-1]})
            except (ValueError, TypeError, RecursionError) as error:
                raise ResultsError(f"append: {record.get('name')!r} {error}") from error
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path) as file:
                return self._write(file, plain)
        except OSError as error:
            raise ResultsError(f"append: cannot write {self.path}: {error}; choose another output, "
                               "or make room and start again: what was stored is intact") from error

    def _write(self, file, records):
        file.seek(0)
        raw = file.read()
        found, whole = _parsed(raw, self.path, self.parse, self._require_mine)
        text = b"" if found.header else _line(self.header)
        if not text.startswith(raw[whole:]) and not found.header:
            raise ResultsError(f"append: {self.path} exists and is not a results file; choose "
                               "another output")
        stored = {record["name"] for record in found.records}
        new = {record["name"]: record for record in records if record["name"] not in stored}
        text += b"".join(map(_line, new.values()))
        if not text:
            return []
        if raw[:whole] and not raw[:whole].endswith(b"\n"):
            text = b"\n" + text  # an editor took the last line end away
        try:
            if whole != len(raw):
                file.truncate(whole)
            written = file.write(text)
            if written != len(text):
                raise OSError(f"only {written} of {len(text)} bytes could be written")
            os.fsync(file.fileno())
        except OSError:  # an interrupt loses nothing: what it left is whole, or cut off next time
            with contextlib.suppress(OSError):
                file.truncate(whole)
            raise
        return list(new)

    def _require_mine(self, header):
        """Refuse results of other settings or data; the stored identifier has the last word."""
        there, here = header["settings"], self.header["settings"]
        different = [f"{key}: {there.get(key)!r} there, {here.get(key)!r} here"
                     for key in sorted({*there, *here}) if there.get(key) != here.get(key)]
        if not different and header["identifier"] != self.header["identifier"]:
            different = [f"identifier: {header['identifier']!r} there, "
                         f"{self.header['identifier']!r} here"]
        stored = dict(_fingerprints(header))
        different += [f"{place}: {stored.get(place)!r} there, {value!r} here"
                      for place, value in _fingerprints(self.header) if stored.get(place) != value
                      and (place in stored or not place.endswith("test_fingerprint"))]
        if different:
            raise ResultsError(f"Results: {self.path} holds results of other settings ("
                               + "; ".join(different) + "); choose another output")


def _fingerprints(value, place=""):
    """Places and values of all fingerprints in a header, those in lists by their numbers too."""
    for key, inner in value.items():
        if key.endswith("fingerprint"):
            yield place + key, inner
        elif isinstance(inner, list):
            yield from _fingerprints({f"{key} {n}": each for n, each in enumerate(inner)}, place)
        elif isinstance(inner, dict) and place + key != "settings":
            yield from _fingerprints(inner, f"{place}{key} ")


def _line(entry):
    """A line with its checksum first: what an interrupted write left is known by its beginning."""
    text = json.dumps(entry, sort_keys=True, allow_nan=False)
    return f'{{"check": "{_checksum(entry)}", {text[1:]}\n'.encode()


@contextlib.contextmanager
def program() -> Iterator[None]:
    """What a program does around the work that fills a results file.

    Any path can be printed.  An error that a person can cause ends it with a line, as does Ctrl-C.

    Examples
    --------
    >>> with program():
    ...     raise ResultsError("no such file")
    Traceback (most recent call last):
    ...
    SystemExit: error: no such file
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    except (ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
        raise SystemExit(f"error: {in_one_line(error)}") from error
    except KeyboardInterrupt:
        print("\ninterrupted: what was finished is stored, the same command continues",
              file=sys.stderr)
        raise SystemExit(130) from None


def is_share(value: object) -> bool:
    """Whether a value is a number from 0 to 1, as every accuracy is.

    Examples
    --------
    >>> is_share(0.5), is_share(7), is_share(float("nan")), is_share(True)
    (True, False, False, False)
    """
    return type(value) in (int, float) and 0 <= value <= 1  # which NaN does not
