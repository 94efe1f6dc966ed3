"""Checkpoints: the state of unfinished jobs, and the hash of the code that made it."""

import contextlib
import functools
import hashlib
import io
import os
import uuid
import warnings
from pathlib import Path

import torch

from ..locks import locked

# what the numbers depend on; the rest arranges, stores and shows them
NUMERICAL = ("augment", "cifar", "ensembles", "images", "kinds", "networks", "products", "training")
_DIGEST = hashlib.sha256().digest_size


@functools.lru_cache(maxsize=1)
def code_digest():
    """Hash of the files that determine the numbers, `NUMERICAL`, stored with every result."""
    digest = hashlib.sha256()
    for name in NUMERICAL:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    digest.update((Path(__file__).parents[1] / "photograph.py").read_bytes())
    return digest.hexdigest()[:12]


code_digest()  # now: when results are stored, the files may be of a newer version than what runs


def _made_by():
    """What a training is not continued by another version of: results name one of each."""
    return {"code": code_digest(), "torch": str(torch.__version__)}


def save(path, state):
    """Write a checkpoint, or warn: a full disk must not stop the training.

    It replaces the one before in one step, and only once it is on the disk.

    Parameters
    ----------
    path : path-like
    state : dict
        What `torch.load` reads back with ``weights_only=True``.
    """
    path = Path(path)
    try:
        content = io.BytesIO()
        torch.save({**state, **_made_by()}, content)
        try:
            _put(path, content.getvalue())
        except (FileNotFoundError, FileExistsError):  # another sweep tidied up before it was locked
            _put(path, content.getvalue())  # or after that, or while the folder was made
    except (OSError, RuntimeError) as error:
        warnings.warn(f"save: no checkpoint in {path.parent}: {error}; the training goes on",
                      stacklevel=3)


def _put(path, raw):
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(temporary) as file:  # a temporary that can be locked is of a dead process
            for part in (hashlib.sha256(raw).digest(), raw):  # torch does not see every error
                rest = memoryview(part)
                while written := len(rest) and file.write(rest):  # systems take 2 GiB at once
                    rest = rest[written:]
                if rest:
                    raise OSError("not all of it could be written")
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path, expected, device):
    """The state in a checkpoint, if it is of this job, this code and this torch.

    Parameters
    ----------
    path : path-like
    expected : dict
        Entries that the state must have.
    device : torch.device

    Returns
    -------
    dict or None
        None if there is no checkpoint, with a warning if it cannot be used.
    """
    path = Path(path)
    try:
        state = _read(path, device)
        different = [key for key, value in {**expected, **_made_by()}.items()
                     if state[key] != value]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # damaged: torch raises many types
        different = [f"{type(error).__name__}: {error}"]
    if different:
        warnings.warn(f"load: {path} is damaged, or of another job or version of the code: "
                      f"{', '.join(different)}; the training starts anew", stacklevel=3)
        return None
    return state


def _read(path, device):
    raw = path.read_bytes()
    if hashlib.sha256(raw[_DIGEST:]).digest() != raw[:_DIGEST]:
        raise ValueError("its checksum is wrong")
    return torch.load(io.BytesIO(raw[_DIGEST:]), map_location=device, weights_only=True)


def remove(path):
    """Remove the checkpoint of a job whose results are stored.

    Temporary files of this job that dead processes left go too, those of living ones stay; so does
    the folder, if it is empty then.  What cannot be removed does no harm.

    Parameters
    ----------
    path : pathlib.Path
    """
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        _tidy(path.parent, f"{path.name}.*.tmp")


def remove_stored(folder, stored):
    """Remove what interrupted sweeps left: checkpoints of stored networks, temporary files.

    Parameters
    ----------
    folder : pathlib.Path
    stored : set of str
        Names of networks.
    """
    with contextlib.suppress(OSError):
        for path in folder.glob("*.pt"):
            with contextlib.suppress(Exception):  # damaged, or just removed by another process
                if stored.issuperset(_read(path, "cpu")["names"]):
                    path.unlink()
        _tidy(folder, "*.pt.*.tmp")


def _tidy(folder, pattern):
    for temporary in folder.glob(pattern):
        with contextlib.suppress(OSError):  # locked: another process is writing it
            with locked(temporary, seconds=0):
                pass
            temporary.unlink()
    os.rmdir(folder)  # fails where something is in it
