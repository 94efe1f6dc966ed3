"""Fetch an archive once: resumable, verified, and never leaving a half-written cache.

Bytes go to NAME.part.  An interrupted download continues there with an HTTP range request.  Only a
complete file with the right hash is renamed to NAME, and only a completely extracted folder is
renamed to its final place, so whatever carries the final name is whole.
"""

import errno
import hashlib
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

CHUNK = 1 << 16
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Archive:
    """An archive on the network and the hash it must have.

    Parameters
    ----------
    url : str
    algorithm : str
        A name that `hashlib.new` knows.
    digest : str
        Hexadecimal.
    size : int or None
        Bytes, if known.
    """

    url: str
    algorithm: str
    digest: str
    size: int | None = None

    @property
    def filename(self):
        return self.url.rsplit("/", 1)[-1]


# The md5 that the data set's own page publishes.
CIFAR10 = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "md5",
    "c32a1d4ab5d03f1284b67883e8d87530",
)


class DownloadError(RuntimeError):
    """The archive cannot be fetched, verified or extracted; the message says what to do."""


def file_digest(path, algorithm):
    """Hexadecimal hash of a file, read in pieces."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def fetch(archive, folder, progress=True):
    """Download an archive into a folder, continuing an earlier attempt.

    Parameters
    ----------
    archive : Archive
    folder : path-like
        Created if missing.
    progress : bool

    Returns
    -------
    pathlib.Path
        The complete, verified file.

    Raises
    ------
    DownloadError
        No network, server error, wrong hash, full disk, folder not writable.  After a wrong hash
        the damaged file is removed; after an interruption the part stays and is continued.
    """
    folder = Path(folder)
    final = folder / archive.filename
    part = final.with_name(final.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if final.is_file() and file_digest(final, archive.algorithm) == archive.digest:
            return final
        if not (part.is_file() and file_digest(part, archive.algorithm) == archive.digest):
            _receive(archive, part, progress)
    except urllib.error.HTTPError as error:
        raise DownloadError(
            f"fetch: {archive.url} answered {error.code} {error.reason}; nothing was kept"
        ) from error
    except OSError as error:
        raise DownloadError(_explain(error, archive, folder)) from error
    found = file_digest(part, archive.algorithm)
    if found != archive.digest:
        size = part.stat().st_size
        part.unlink()
        raise DownloadError(
            f"fetch: {archive.url}: {archive.algorithm} of the {size} bytes received is {found}, "
            f"must be {archive.digest}; the damaged file was removed, try again"
        )
    part.replace(final)
    return final


def _explain(error, archive, folder):
    """One sentence for an operating-system or network error."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (f"fetch: the disk under {folder} is full; free some space or choose another folder "
                "(argument cache or variable OVERLAPS_DATA), the part received so far is kept")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (f"fetch: cannot write to {folder}: {error}; choose another folder (argument cache "
                "or variable OVERLAPS_DATA)")
    return (f"fetch: cannot receive {archive.url}: {error}; check the network connection and try "
            "again (it continues where it stopped), or pass a local folder in the binary layout")


def _receive(archive, part, progress):
    """Append the missing bytes to the part file."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(archive.url, headers={"User-Agent": "overlaps-course"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        part.unlink()  # longer than the file on the server: start again
        return _receive(archive, part, progress)
    with response:
        continued = response.status == 206
        if have and not continued:
            have = 0  # this server ignores ranges: start again
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with (
            open(part, "ab" if continued else "wb") as file,
            tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=archive.filename,
                 disable=not progress) as bar,
        ):
            while piece := response.read(CHUNK):
                file.write(piece)
                bar.update(len(piece))
        received = part.stat().st_size
    if total is not None and received < total:
        raise ConnectionError(f"connection closed after {received} of {total} bytes")
    return None


def extract(path, folder, member):
    """Extract one top-level folder of a tar archive, all or nothing.

    Parameters
    ----------
    path : path-like
    folder : path-like
        Where the top-level folder goes.
    member : str
        Name of the top-level folder.

    Returns
    -------
    pathlib.Path
        folder / member

    Raises
    ------
    DownloadError
        If the archive is damaged, holds unsafe names or lacks the folder, or the disk is full.

    Notes
    -----
    Only plain files directly inside `member` are taken, written under their own base name, so
    links, absolute names and ".." cannot lead outside.
    """
    folder, final = Path(folder), Path(folder) / member
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{member}-", dir=folder))
    except OSError as error:
        raise DownloadError(f"extract: cannot write to {folder}: {error}") from error
    try:
        with tarfile.open(path) as archive:
            for entry in archive:
                parts = Path(entry.name).parts
                if entry.isdir() and parts == (member,):
                    continue
                if not entry.isfile() or len(parts) != 2 or parts[0] != member or ".." in parts:
                    raise DownloadError(
                        f"extract: {path} holds {entry.name!r}; only plain files in {member}/ are "
                        "expected"
                    )
                with archive.extractfile(entry) as source, open(temporary / parts[1], "wb") as copy:
                    shutil.copyfileobj(source, copy)
        if not any(temporary.iterdir()):
            raise DownloadError(f"extract: {path} holds no file in {member}/")
        temporary.replace(final)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DownloadError(f"extract: cannot extract {path} into {folder}: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def fetch_and_extract(archive, folder, member, progress=True):
    """`fetch`, then `extract`, then remove the archive.

    Returns
    -------
    pathlib.Path
        The extracted folder.
    """
    path = fetch(archive, folder, progress)
    final = extract(path, folder, member)
    path.unlink()
    return final
