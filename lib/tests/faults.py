"""Faults at every step: counts what a program does with the files of a folder, and lets it fail.

`Steps` counts opening, reading, writing, locking, syncing, moving and removing below a folder, in
the order in which the program asks for them, and lets one step go wrong: with an error, with half
of a write, or by ending the program there.  Giving a lock back is no step, since closing does it.
"""

import builtins
import contextlib
import errno
import io
import os
import re
from pathlib import Path
from unittest import mock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FAULTS = ("no space", "I/O error", "no permission", "half", "killed")
ERRORS = {"no space": errno.ENOSPC, "I/O error": errno.EIO, "no permission": errno.EACCES}


class Killed(BaseException):
    """The program ends here: nothing that it tries afterwards reaches the disk."""


class Steps:
    """The steps of a program with the files of a folder.

    Parameters
    ----------
    root : path-like
        What happens elsewhere is not counted.
    at : int, optional
        The step that goes wrong.
    fault : str
        One of `FAULTS`; half a write where there is no write is an I/O error.
    end : callable, optional
        Ends the program for the fault "killed"; by default `Killed` is raised.
    """

    def __init__(self, root, at=None, fault=None, end=None):
        self.root, self.at, self.fault, self.end = os.path.realpath(root), at, fault, end
        self.done, self.dead = [], False

    def step(self, kind, path):
        """Count a step; whether only half of it shall be done."""
        if self.dead:
            raise Killed
        name = os.path.relpath(path, self.root)
        self.done.append(f"{kind} {re.sub(r'[0-9a-f]{12}', '*', name)}")
        if len(self.done) - 1 != self.at:
            return False
        if self.fault == "killed":
            if self.end:
                self.end()
            self.dead = True
            raise Killed
        if self.fault == "half" and kind == "write":
            return True
        number = ERRORS.get(self.fault, errno.EIO)
        raise OSError(number, os.strerror(number), str(path))

    def inside(self, path):
        return (isinstance(path, (str, os.PathLike))
                and (os.path.abspath(path) + os.sep).startswith(self.root + os.sep))

    @contextlib.contextmanager
    def counted(self):
        """Count all steps while this lasts."""
        with contextlib.ExitStack() as stack:
            def patch(where, name, function):
                stack.enter_context(mock.patch.object(where, name, function))

            for name in ("replace", "unlink", "mkdir", "rmdir", "stat", "scandir"):
                patch(os, name, self._counting(name, getattr(os, name)))
            for where in (builtins, io):
                patch(where, "open", self._opening(io.open))
            patch(os, "fsync", self._on_file("sync", os.fsync))
            if fcntl:
                patch(fcntl, "flock", self._on_file("lock", fcntl.flock))
            self.files = {}
            yield self

    def _counting(self, kind, original):
        def counting(path, *more, **options):
            if self.inside(path):
                self.step(kind, path)
            return original(path, *more, **options)
        return counting

    def _opening(self, original):
        def opening(path, mode="r", *more, **options):
            if not self.inside(path):
                return original(path, mode, *more, **options)
            self.step("open", path)
            file = _File(original(path, mode, *more, **options), path, self)
            self.files[file.fileno()] = path
            return file
        return opening

    def _on_file(self, kind, original):
        def on_file(file, *more):
            number = file if isinstance(file, int) else file.fileno()
            if number in self.files and more != (getattr(fcntl, "LOCK_UN", None),):
                self.step(kind, self.files[number])
            return original(number, *more)
        return on_file


class _File:
    """A file whose reading and writing are steps; the rest is the file's own."""

    def __init__(self, file, path, steps):
        self.file, self.path, self.steps = file, path, steps

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.steps.files.pop(self.file.fileno(), None)
        self.file.close()

    def read(self, *size):
        self.steps.step("read", self.path)
        return self.file.read(*size)

    def write(self, data):
        if self.steps.step("write", self.path):
            return self.file.write(data[:len(data) // 2])
        return self.file.write(data)

    def truncate(self, *size):
        self.steps.step("truncate", self.path)
        return self.file.truncate(*size)

    def flush(self):
        self.steps.step("flush", self.path)
        self.file.flush()


def left_over(folder, *expected):
    """Files and folders below a folder that are not expected."""
    return sorted({str(path.relative_to(folder)) for path in Path(folder).rglob("*")}
                  - set(expected))
