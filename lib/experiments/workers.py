"""Calls in several processes: a worker that dies is replaced, and none outlives its parent."""

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from multiprocessing.connection import wait


def run(function, calls, workers):
    """Call a function in several processes; yields results as they come.

    Parameters
    ----------
    function : callable
        Of a module, so that other processes find it.
    calls : sequence of tuple
        Arguments of the calls.
    workers : int

    Yields
    ------
    place : int
        Of the call in the sequence.
    result : object or None
        None if the worker died.
    cause : str or None
        How the worker died.

    Examples
    --------
    >>> import operator
    >>> sorted(place for place, _, _ in run(operator.add, [], workers=2))
    []
    """
    waiting, crew = list(enumerate(calls))[::-1], []
    try:
        while waiting or crew:
            while waiting and len(crew) < workers:
                crew.append(_Worker(function, waiting.pop()))
            ready = wait([worker.pipe for worker in crew])
            for worker in [worker for worker in crew if worker.pipe in ready]:
                place = worker.place
                try:
                    result = worker.pipe.recv()
                except (EOFError, OSError):  # a dead process closes its end
                    worker.process.join()
                    crew.remove(worker)
                    yield place, None, f"its worker died (exit code {worker.process.exitcode})"
                    continue
                if waiting:
                    worker.give(waiting.pop())
                else:
                    worker.end()
                    crew.remove(worker)
                yield place, result, None
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    def __init__(self, function, call):
        context = multiprocessing.get_context("spawn")  # everywhere; nothing open is inherited
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, function), daemon=True)
        with _interrupts_wait():
            self.process.start()
        other.close()
        self.give(call)

    def give(self, call):
        self.place, arguments = call
        with contextlib.suppress(OSError):  # a dead worker is noticed where it is waited for
            self.pipe.send(arguments)

    def end(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


@contextlib.contextmanager
def _interrupts_wait():
    """Ctrl-C reaches every process of a terminal: a worker that imports, seconds long, waits too.

    It inherits what waits here, until `_serve` passes over it; here it is answered at the end.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # starting it with the first worker would end the waiting
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe, function):
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    calls = queue.SimpleQueue()

    def listen():
        try:
            while True:
                calls.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(1)  # the parent is gone: nobody waits for the result

    threading.Thread(target=listen, daemon=True).start()
    while True:
        pipe.send(function(*calls.get()))
