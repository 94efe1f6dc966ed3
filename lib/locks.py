"""Files that one process at a time may write, on Windows, Linux and macOS."""

import contextlib
import errno
import os
import stat
import time
import warnings
from collections.abc import Iterator
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

__all__ = ["locked", "require_regular"]

LOCK_SECONDS = 60.0
_FAR = 2**30  # Windows locks bytes, and nobody else may read those: one beyond the end
# some cluster file systems; two names are one number on Linux, not on macOS
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}


@contextlib.contextmanager
def locked(path: str | os.PathLike, seconds: float = LOCK_SECONDS) -> Iterator[BinaryIO]:
    """A file that this process alone may write, made if it does not exist; nothing is changed.

    The operating system gives the lock back when a process ends, however it ends.

    Parameters
    ----------
    path : path-like
    seconds : float
        How long to wait for another process.

    Yields
    ------
    file
        Open for reading and appending, without a buffer.

    Raises
    ------
    OSError
        If the file cannot be opened, is not a regular file, or stays locked.

    Examples
    --------
    >>> import tempfile
    >>> with locked(tempfile.mkdtemp() + "/a") as file:
    ...     file.write(b"1")
    1
    """
    require_regular(path)
    with open(path, "ab+", buffering=0) as file:
        deadline = time.monotonic() + seconds
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise OSError(f"another process has been writing it for {seconds:g} seconds")
            time.sleep(0.05)
        try:
            yield file
        finally:
            if fcntl is None:
                file.seek(_FAR)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
            else:  # closing alone would leave it to a process that was forked meanwhile
                with contextlib.suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_UN)


def _try_lock(file):
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):  # held; PermissionError on Windows
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn("locked: this file system has no locks; write with one process at a time",
                      stacklevel=4)
    return True


def require_regular(path):
    """Raise `OSError` for what exists and is no regular file: opening a pipe would wait."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError("it is not a regular file")
