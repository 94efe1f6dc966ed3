"""CIFAR-10 in its binary layout: from a local folder, or from the official archive.

The binary version consists of files of records, each one label byte and 3072 pixel bytes (the red,
green and blue plane, row by row).  Nothing is unpickled, and the archive is read without being
extracted: what its checksum covers is what is read.
"""

import functools
import hashlib
import os
import tarfile
from pathlib import Path

import numpy as np
import torch

from .images import ImageSet, dead_leaves, photograph_patches
from .kinds import CLASSES, SIZE

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # published on the page of the data set
FOLDER = "cifar-10-batches-bin"
FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
NOTE = "provenance.txt"
RECORD = 1 + 3 * SIZE**2
RECORDS_PER_FILE = 10_000
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CACHE_VARIABLE = "OVERLAPS_DATA"
TIMEOUT_SECONDS = 30
TEST_IMAGES = 2000


class DatasetError(RuntimeError):
    """The data are missing, damaged or not what they should be; the message says what to do."""


def cache_folder(override=None):
    """Where the downloaded archive is kept.

    Parameters
    ----------
    override : path-like, optional
        Wins over the environment variable OVERLAPS_DATA, which wins over the user's cache folder
        (XDG_CACHE_HOME, else ~/.cache).

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
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "overlaps"


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
        Never called official: its files were not compared with the published archive, and the
        provenance says so, with the hash of every file and the text of provenance.txt in the
        folder, if there is one.

    Raises
    ------
    DatasetError
        If files are missing or damaged.
    ValueError
        If the split is unknown.
    """
    names = _files("from_folder", split)
    folder = Path(folder).expanduser()
    folder = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DatasetError(
            f"from_folder: {folder} lacks {', '.join(missing)}; must hold the binary version of "
            "CIFAR-10"
        )
    provenance = {
        "official": False,
        "origin": "a local folder in the binary layout, not compared with the published files",
    }
    if (folder / NOTE).is_file():
        provenance["note"] = (folder / NOTE).read_text(errors="replace").strip()[:500]
    return _image_set({name: (folder / name).read_bytes() for name in names}, split, provenance)


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
    import pooch

    names = _files("cifar10", split)
    pooch.get_logger().setLevel("WARNING")
    try:
        archive = pooch.retrieve(
            URL, f"md5:{MD5}", URL.rsplit("/", 1)[-1], cache_folder(cache),
            downloader=pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT_SECONDS),
        )
        with tarfile.open(archive) as tar:
            contents = {name: tar.extractfile(f"{FOLDER}/{name}").read() for name in names}
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        raise DatasetError(
            f"cifar10: cannot fetch {URL} into {cache_folder(cache)}: {error}; try again, choose "
            f"another cache folder (variable {CACHE_VARIABLE}), or pass a local folder in the "
            "binary layout"
        ) from error
    return _image_set(contents, split, {"official": True, "origin": f"{URL} (md5 {MD5})"})


def _files(operation, split):
    if split not in FILES:
        raise ValueError(f"{operation}: split={split!r}, must be 'train' or 'test'")
    return FILES[split]


def _image_set(contents, split, provenance):
    parts = [read_records(raw, name) for name, raw in contents.items()]
    hashes = {name: hashlib.sha256(raw).hexdigest() for name, raw in contents.items()}
    return ImageSet(
        torch.cat([images for images, _ in parts]), torch.cat([labels for _, labels in parts]),
        NAMES, {"name": "cifar-10", **provenance, "split": split, "sha256": hashes},
    )


@functools.lru_cache(maxsize=2)
def load_data(name, count, folder=None, cache=None):
    """The training images of a sweep; every process loads them once.

    Parameters
    ----------
    name : str
        ``"dead-leaves"``, ``"photograph-patches"`` or ``"cifar-10"``.
    count : int or None
        Number of images.
    folder, cache : str, optional
        See `cifar10`.

    Returns
    -------
    ImageSet

    Examples
    --------
    >>> len(load_data("dead-leaves", 20))
    20
    """
    if name == "dead-leaves":
        return dead_leaves(count)
    if name == "photograph-patches":
        return photograph_patches(count)
    return cifar10("train", folder=folder, cache=cache).subset(count)


@functools.lru_cache(maxsize=2)
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
    if name != "cifar-10":
        return None
    try:
        data = cifar10("test", folder=folder, cache=cache)
    except DatasetError:
        return None
    return ImageSet(data.images[:TEST_IMAGES], data.labels[:TEST_IMAGES], data.classes,
                    data.provenance)
