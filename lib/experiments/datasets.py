"""CIFAR-10 in its binary layout: found, checked, read.

The binary version is a folder of files of records, each one label byte and 3072 pixel bytes (the
red, green and blue plane, row by row).  Nothing is unpickled.  `cifar10` accepts a folder given by
the caller, else the cache, else downloads the official archive (download.py).
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import torch

from . import download
from .imageset import ImageSet
from .kinds import CLASSES, SIZE

FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("test_batch.bin",)
NOTE = "provenance.txt"
RECORD = 1 + 3 * SIZE**2
RECORDS_PER_FILE = 10_000
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CACHE_VARIABLE = "OVERLAPS_DATA"


class DatasetError(RuntimeError):
    """The data are missing, damaged or not what they should be; the message says what to do."""


def cache_folder(override=None):
    """Where downloaded data are kept.

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
    if override:
        return Path(override).expanduser()
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "overlaps"


def read_records(path, expected=RECORDS_PER_FILE):
    """Read one file of the binary layout.

    Parameters
    ----------
    path : path-like
    expected : int or None
        Number of records the file must hold; None accepts any.

    Returns
    -------
    images : numpy.ndarray, shape (n, 3, 32, 32), uint8
    labels : numpy.ndarray, shape (n,), uint8

    Raises
    ------
    DatasetError
        If the file is missing, truncated, or a label byte exceeds 9.
    """
    path = Path(path)
    try:
        raw = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DatasetError(f"read_records: cannot read {path}: {error}") from error
    if not raw.size or raw.size % RECORD or (expected and raw.size != expected * RECORD):
        wanted = f"{expected * RECORD} bytes" if expected else f"a multiple of {RECORD} bytes"
        raise DatasetError(
            f"read_records: {path} has {raw.size} bytes, must have {wanted} "
            f"({raw.size // RECORD} whole records): it is truncated or not in the binary layout"
        )
    raw = raw.reshape(-1, RECORD)
    labels = raw[:, 0]
    if labels.max() >= CLASSES:
        row = int(np.argmax(labels >= CLASSES))
        raise DatasetError(
            f"read_records: {path}, record {row}: label byte {labels[row]}, must be 0..9"
        )
    return raw[:, 1:].reshape(-1, 3, SIZE, SIZE), labels


def file_hashes(folder, names):
    """SHA-256 of the named files of a folder.

    Returns
    -------
    dict of str to str
    """
    return {name: hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest() for name in names}


def from_folder(folder, split="train", provenance=None):
    """Read CIFAR-10 from a folder in the binary layout.

    Parameters
    ----------
    folder : path-like
        The folder with data_batch_1.bin ..., or the one that contains cifar-10-batches-bin.
    split : str
        ``"train"`` or ``"test"``.
    provenance : dict, optional
        Known origin.  Without it the folder counts as not official: its files were not compared
        with the published archive, and the provenance says so, with the hash of every file and
        the text of provenance.txt in the folder, if there is one.

    Returns
    -------
    ImageSet

    Raises
    ------
    DatasetError
        If files are missing or damaged.
    ValueError
        If the split is unknown.
    """
    if split not in ("train", "test"):
        raise ValueError(f"from_folder: split={split!r}, must be 'train' or 'test'")
    folder = Path(folder).expanduser()
    folder = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    names = TRAIN_FILES if split == "train" else TEST_FILES
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DatasetError(
            f"from_folder: {folder} lacks {', '.join(missing)}; must hold the binary version of "
            "CIFAR-10"
        )
    parts = [read_records(folder / name) for name in names]
    images = torch.from_numpy(np.concatenate([images for images, _ in parts]))
    labels = torch.from_numpy(np.concatenate([labels for _, labels in parts]).astype(np.int64))
    if provenance is None:
        provenance = {
            "name": "cifar-10", "official": False,
            "origin": "a local folder in the binary layout, not compared with the published files",
        }
        if (folder / NOTE).is_file():
            provenance["note"] = (folder / NOTE).read_text(errors="replace").strip()[:500]
    provenance = {**provenance, "split": split, "sha256": file_hashes(folder, names)}
    return ImageSet(images, labels, NAMES, provenance)


def cifar10(split="train", folder=None, cache=None, progress=True):
    """CIFAR-10: from a local folder, from the cache, or from the official archive.

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
    target = cache_folder(cache) / FOLDER
    if not target.is_dir():
        try:
            download.fetch_and_extract(
                download.CIFAR10, cache_folder(cache), FOLDER, progress=progress
            )
        except download.DownloadError as error:
            raise DatasetError(str(error)) from error
    return from_folder(target, split, {
        "name": "cifar-10", "official": True,
        "origin": f"{download.CIFAR10.url} (md5 {download.CIFAR10.digest})",
    })
