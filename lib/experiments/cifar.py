"""CIFAR-10 in its binary layout: from a local folder, or from the official archive.

The binary version consists of files of records, each one label byte and 3072 pixel bytes (the red,
green and blue plane, row by row).  Nothing is unpickled, and the archive is read without being
extracted: what its checksum covers is what is read.  Two processes fetch it once.
"""

import contextlib
import functools
import hashlib
import inspect
import io
import itertools
import os
import tarfile
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..checks import choice
from ..locks import locked
from .images import ImageSet, dead_leaves, photograph_patches
from .kinds import CLASSES, SIZE

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # published on the page of the data set
FOLDER = "cifar-10-batches-bin"
LIMIT = 200_000_000  # bytes of a download
# of every file, as the loader of Apache MXNet (gluon.data.vision.CIFAR10) lists them
SHA1 = {
    "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
    "test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c",
}
FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
NOTE = "provenance.txt"
RECORD = 1 + 3 * SIZE**2
RECORDS_PER_FILE = 10_000
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CACHE_VARIABLE = "OVERLAPS_DATA"
TIMEOUT_SECONDS = 30  # for an answer, and between two parts of it
DOWNLOAD_SECONDS = 3600  # for all of it
AS_IT_IS = {"Accept-Encoding": "identity"}  # compressed on the way, its hash would be another
TEST_IMAGES = 2000


class DatasetError(RuntimeError):
    """The data are missing, damaged or not what they should be; the message says what to do."""


def cache_folder(override=None):
    """Where the downloaded archive is kept.

    Parameters
    ----------
    override : path-like, optional
        Wins over the environment variable OVERLAPS_DATA, which wins over the user's cache folder
        (XDG_CACHE_HOME if it is a whole path, as its specification says, else ~/.cache).

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> cache_folder("somewhere").name
    'somewhere'
    """
    chosen = override or os.environ.get(CACHE_VARIABLE)
    if chosen:
        return _expanded(chosen)
    folder = os.environ.get("XDG_CACHE_HOME", "")
    return _expanded(folder if os.path.isabs(folder) else "~/.cache") / "overlaps"


def _expanded(path):
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # no such user, or none at all
        raise DatasetError(f"cifar10: {path}: {error} Choose a folder by its whole path (variable "
                           f"{CACHE_VARIABLE} for downloads)") from error


def read_records(raw, source):
    """The images and labels of one file of the binary layout.

    Parameters
    ----------
    raw : bytes
        Content of the file.
    source : str
        Its name, for messages.

    Returns
    -------
    images : torch.Tensor, shape (n, 3, 32, 32), uint8
    labels : torch.Tensor, shape (n,), int64

    Raises
    ------
    DatasetError
        If the file is truncated, or a label byte exceeds 9.
    """
    wanted = RECORDS_PER_FILE * RECORD
    if len(raw) != wanted:
        raise DatasetError(
            f"read_records: {source} has {len(raw)} bytes, must have {wanted} "
            f"({RECORDS_PER_FILE} records): it is truncated or not in the binary layout"
        )
    records = np.frombuffer(raw, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= CLASSES:
        row = int(np.argmax(labels >= CLASSES))
        raise DatasetError(
            f"read_records: {source}, record {row}: label byte {labels[row]}, must be 0..9"
        )
    images = records[:, 1:].reshape(-1, 3, SIZE, SIZE)
    return torch.from_numpy(images.copy()), torch.from_numpy(labels)


def from_folder(folder, split="train"):
    """CIFAR-10 from a folder in the binary layout.

    Parameters
    ----------
    folder : path-like
        The folder with data_batch_1.bin ..., or the one that contains cifar-10-batches-bin.
    split : str
        ``"train"`` or ``"test"``.

    Returns
    -------
    ImageSet
        Called official where every file has the hash of the published one; the provenance has the
        hashes, and the text of provenance.txt in the folder, if there is one.

    Raises
    ------
    DatasetError
        If files are missing or damaged.
    ValueError
        If the split is unknown.
    """
    names = _files("from_folder", split)
    folder = _expanded(folder)
    if (folder / FOLDER).is_dir():
        if any((folder / name).is_file() for name in names):  # one of two sets would be left out
            raise DatasetError(f"from_folder: {folder} holds {names[0]} or others like it, and a "
                               f"folder {FOLDER} beside them; name that folder, or move it away")
        folder = folder / FOLDER
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DatasetError(
            f"from_folder: {folder} lacks {', '.join(missing)}; must hold the binary version of "
            "CIFAR-10"
        )
    try:
        contents = {name: (folder / name).read_bytes() for name in names}
        note = folder / NOTE
        note = note.read_text("utf-8", errors="replace") if note.is_file() else ""
    except OSError as error:
        raise DatasetError(f"from_folder: cannot read {folder}: {error}") from error
    official = all(hashlib.sha1(raw).hexdigest() == SHA1[name] for name, raw in contents.items())
    provenance = {"official": official, "origin": "a local folder in the binary layout, " + (
        "whose files are the published ones" if official else
        "not the published files")}
    if note:
        provenance["note"] = note.strip()[:500]
    return _image_set(contents, split, provenance)


def cifar10(split="train", folder=None, cache=None, progress=True):
    """CIFAR-10: from a local folder, or from the official archive, which is downloaded once.

    Parameters
    ----------
    split : str
        ``"train"`` (50,000 images) or ``"test"`` (10,000).
    folder : path-like, optional
        A local folder in the binary layout; nothing is downloaded.
    cache : path-like, optional
        Cache folder; see `cache_folder`.
    progress : bool
        Show a progress bar while downloading.

    Returns
    -------
    ImageSet

    Raises
    ------
    DatasetError
        If the data cannot be found, fetched or verified.
    """
    if folder is not None:
        return from_folder(folder, split)
    names = _files("cifar10", split)
    try:
        raw = _archive(archive_path(cache), progress)
        with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
            contents = {name: tar.extractfile(f"{FOLDER}/{name}").read() for name in names}
    except MemoryError:  # no fault of the network or the folder
        raise
    except Exception as error:  # the network fails in many ways, not all of them OSError
        how = "" if cache else f" (variable {CACHE_VARIABLE})"  # which a named folder overrides
        raise DatasetError(
            f"cifar10: cannot fetch {URL} into {cache_folder(cache)}: {error}; try again, choose "
            f"another cache folder{how}, or pass a local folder in the binary layout"
        ) from error
    return _image_set(contents, split, {"official": True, "origin": f"{URL} (md5 {MD5})"})


def archive_path(cache=None):
    """Where the downloaded archive is kept; see `cache_folder`."""
    return cache_folder(cache) / URL.rsplit("/", 1)[-1]


def is_fetched(cache=None):
    """Whether the cache holds the published archive: then nothing is downloaded.

    Examples
    --------
    >>> is_fetched("/no/such/folder")
    False
    """
    try:
        return _verified(archive_path(cache)) is not None
    except OSError:  # whoever reads it is told what is wrong
        return True


def _archive(path, progress):
    """The bytes of the archive, fetched unless they are there; by one process at a time."""
    raw = _verified(path)
    if raw is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f"{path.name}.lock"), DOWNLOAD_SECONDS):
            raw = _verified(path)  # another process may have used the time
            if raw is None:
                damaged = path.exists()
                try:
                    _download(path, progress)
                except Exception as error:
                    if damaged:  # somebody's copy, which was not accepted
                        raise OSError(f"{path} is damaged, its hash must be {MD5}, and another "
                                      f"could not be fetched: {error}") from error
                    raise
                raw = path.read_bytes()
    return raw


def _verified(path):
    """Content of the archive; None if there is none, or if it is not the published one."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    return raw if hashlib.md5(raw).hexdigest() == MD5 else None


def _download(path, progress):
    """Fetch the archive, never more than `LIMIT` bytes, and put it in its place once verified."""
    import requests

    part = path.with_name(f"{path.name}.overlaps-part")  # the lock makes it ours
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    digest, size = hashlib.md5(), 0
    try:
        with (requests.get(URL, stream=True, timeout=TIMEOUT_SECONDS, headers=AS_IT_IS) as response,
              open(part, "wb") as file,
              tqdm(unit="B", unit_scale=True, disable=not progress) as bar):
            response.raise_for_status()
            for piece in response.iter_content(1 << 16):
                size += len(piece)
                if size > LIMIT:
                    raise ValueError(f"the server sends more than {LIMIT} bytes")
                if time.monotonic() > deadline:
                    raise ValueError(f"it takes longer than {DOWNLOAD_SECONDS} seconds")
                file.write(piece)
                digest.update(piece)
                bar.update(len(piece))
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != MD5:
            raise ValueError(f"the hash of the {size} bytes is {digest.hexdigest()}, must be {MD5}")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _files(operation, split):
    if split not in FILES:
        raise ValueError(f"{operation}: split={split!r}, must be 'train' or 'test'")
    return FILES[split]


def _image_set(contents, split, provenance):
    parts = [read_records(raw, name) for name, raw in contents.items()]
    found = torch.cat([labels for _, labels in parts]).unique().tolist()
    if len(found) < CLASSES:
        raise DatasetError(f"cifar10: {', '.join(contents)} hold images of the classes {found} "
                           f"only, must hold all {CLASSES}")
    hashes = {name: hashlib.sha256(raw).hexdigest() for name, raw in contents.items()}
    return ImageSet(
        torch.cat([images for images, _ in parts]), torch.cat([labels for _, labels in parts]),
        NAMES, {"name": "cifar-10", **provenance, "split": split, "sha256": hashes},
    )


def _state(folder):
    """What changes when somebody writes other images into a folder: its files, by what they are."""
    if folder is None:
        return None
    found = []
    for inside, name in itertools.product(("", FOLDER), (*FILES["train"], *FILES["test"], NOTE)):
        path = (_expanded(folder) / inside / name).absolute()
        with contextlib.suppress(OSError):
            stat = path.stat()
            found.append((path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return tuple(found)


def _kept(load):
    """The last two results of a function, each as long as the files of its folder stay the same."""
    @functools.lru_cache(maxsize=2)
    def once(state, given):
        return load(*given)

    names, seen = inspect.signature(load), {}

    @functools.wraps(load)
    def kept(*values, **named):
        given = names.bind(*values, **named)
        given.apply_defaults()
        folder = given.arguments["folder"]
        state, place = _state(folder), (given.args, folder and _expanded(folder).absolute())
        if state == ():  # a disk that is gone in the middle of a sweep changes nothing
            state = seen.get(place, ())
        seen[place] = state
        return once(state, given.args)

    kept.cache_clear = once.cache_clear
    return kept


@_kept
def load_data(name, count, folder=None, cache=None):
    """The training images of a sweep; every process loads them once, whoever asks for them.

    Files of a local folder that were written since are loaded again.  What is to be changed must be
    cloned first: the next training would see the change.

    Parameters
    ----------
    name : str
        ``"dead-leaves"``, ``"photograph-patches"`` or ``"cifar-10"``.
    count : int or None
        Number of images.
    folder, cache : str, optional
        See `cifar10`; of CIFAR-10 alone.

    Returns
    -------
    ImageSet

    Raises
    ------
    ValueError
        If there is no such set, or a folder is named for one that is made here.

    Examples
    --------
    >>> len(load_data("dead-leaves", 20))
    20
    """
    choice("load_data: name", name, ("dead-leaves", "photograph-patches", "cifar-10"))
    if name != "cifar-10" and (folder, cache) != (None, None):  # whose images would be left out
        raise ValueError(f"load_data: folder={folder!r}, cache={cache!r}; {name} is made here, "
                         "must be left out, or the data be 'cifar-10'")
    if name == "dead-leaves":
        return dead_leaves(count)
    if name == "photograph-patches":
        return photograph_patches(count)
    return cifar10("train", folder=folder, cache=cache).subset(count)


@_kept
def load_test_data(name, folder=None, cache=None):
    """The first 2,000 test images of CIFAR-10.

    Parameters
    ----------
    name, folder, cache : str
        As for `load_data`.

    Returns
    -------
    ImageSet or None
        None for the other image sets, and for a folder without test images.

    Examples
    --------
    >>> load_test_data("dead-leaves") is None
    True
    """
    if name != "cifar-10" or folder and not any(
            (_expanded(folder) / inside / FILES["test"][0]).exists() for inside in ("", FOLDER)):
        return None
    data = cifar10("test", folder=folder, cache=cache)
    return ImageSet(data.images[:TEST_IMAGES], data.labels[:TEST_IMAGES], data.classes,
                    data.provenance)
