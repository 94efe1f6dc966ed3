"""Workers: replaced when they are killed, ended with their parent however it ends."""

import os
import signal
import subprocess
import sys
import time
import types

import psutil
import pytest

from lib.experiments import workers
from lib.experiments.workers import run
from lib.tests import worker_calls


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_worker_that_dies_is_replaced(tmp_path):
    found = {place: (result, cause) for place, result, cause in run(
        worker_calls.square, [(number, str(tmp_path)) for number in (4, 1, 2, 5, 3, 6)], workers=2)}
    assert {place: result and result[0] for place, (result, _) in found.items()} == {
        0: 16, 1: None, 2: None, 3: 25, 4: None, 5: 36}
    assert [found[place][1] for place in (0, 1, 2, 4)] == [
        None, "its worker died (exit code -9)", "its worker died (exit code -9)",
        "its worker died (exit code 7)"]
    pids = {result[1] for result, _ in found.values() if result}
    assert os.getpid() not in pids
    wait_until(lambda: not any(map(psutil.pid_exists, pids)))


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_workers_end_with_their_parent(tmp_path, how):
    number = getattr(signal, how, None)
    if number is None or os.name == "nt":
        pytest.skip(f"this system has no {how}")
    parent = subprocess.Popen([sys.executable, worker_calls.__file__, str(tmp_path)],
                              stderr=subprocess.DEVNULL)
    files = [tmp_path / "a", tmp_path / "b"]
    wait_until(lambda: all(file.exists() and file.read_text() for file in files))
    pids = [int(file.read_text()) for file in files]
    assert all(map(psutil.pid_exists, pids))
    parent.send_signal(number)
    parent.wait(30)
    wait_until(lambda: not any(map(psutil.pid_exists, pids)))


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot wait here")
def test_an_interrupt_still_waits_when_a_worker_needs_the_tracker_of_resources():
    """Python starts that process with the first worker, and lets interrupts through afterwards."""
    script = """
import signal
from multiprocessing import resource_tracker
from lib.experiments.workers import _interrupts_wait
with _interrupts_wait():
    resource_tracker.ensure_running()
    print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.split() == ["True", "False"]


@pytest.mark.skipif(os.name == "nt", reason="this system has no groups of processes")
def test_workers_that_still_start_say_nothing_of_an_interrupt(tmp_path):
    script = tmp_path / "lead.py"
    script.write_text("""
import os, signal, sys, time
from lib.experiments.workers import run
def busy(*_):  # with a step of a training, say
    time.sleep(1)
    raise KeyboardInterrupt
if __name__ != "__main__":  # in a worker, which imports this
    open(f"{sys.argv[1]}/{os.getpid()}", "w").close()
    time.sleep(5)
signal.signal(signal.SIGINT, busy) if __name__ == "__main__" else None
try:
    list(run(abs, [(1,), (2,)], workers=2)) if __name__ == "__main__" else None
except KeyboardInterrupt:
    sys.exit("interrupted")
""")
    folder = tmp_path / "importing"
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(folder)], stderr=subprocess.PIPE,
                              text=True, start_new_session=True)
    wait_until(lambda: len(list(folder.iterdir())) == 2)
    os.killpg(parent.pid, signal.SIGINT)  # as Ctrl-C in a terminal
    assert parent.communicate(timeout=30)[1] == "interrupted\n"


class Pipe:
    """One end of a pipe: what is received, and what was sent."""

    def __init__(self, *answers):
        self.answers, self.sent = list(answers), []

    def recv(self):
        answer = self.answers.pop(0)
        if isinstance(answer, type):
            raise answer
        return answer

    def send(self, thing):
        self.sent.append(thing)


@pytest.mark.parametrize("error", [EOFError, OSError])
def test_calls_are_given_out_one_by_one_and_every_worker_ends(monkeypatch, error):
    made, most = [], []

    class Worker:
        def __init__(self, function, call):
            self.function, self.ended, self.given = function, 0, []
            self.process = types.SimpleNamespace(exitcode=5, join=lambda: None)
            made.append(self)
            self.pipe = Pipe(*([error] if call[0] == 1 else ["a", "b", "c", "d"]))
            self.give(call)

        def give(self, call):
            self.place = call[0]
            self.given.append(call)

        def end(self):
            self.ended += 1

    def wait(pipes):
        most.append(len(pipes))
        return pipes[:1] if len(most) % 2 else pipes[1:] or pipes

    monkeypatch.setattr(workers, "_Worker", Worker)
    monkeypatch.setattr(workers, "wait", wait)
    calls = [(number,) for number in range(5)]
    found = list(workers.run("function", calls, 2))
    assert sorted(found, key=lambda one: one[0])[1] == (
        1, None, "its worker died (exit code 5)")
    assert sorted(place for place, _, _ in found) == [0, 1, 2, 3, 4]
    assert all(cause is None and result in "abcd" for place, result, cause in found if place != 1)
    assert max(most) == 2 and len(made) == 3 and {one.function for one in made} == {"function"}
    assert sorted(sum((one.given for one in made), [])) == list(enumerate(calls))
    assert [one.ended for one in made] == [1, 0, 1]
    made.clear()
    running = workers.run("function", calls, 3)
    next(running)
    running.close()  # whoever asked is gone
    assert len(made) == 3 and {one.ended for one in made if one.given[0][0] != 1} == {1}


def test_a_worker_answers_call_after_call_and_ends_with_its_parent(monkeypatch):
    handlers, codes = {}, []
    monkeypatch.setattr(workers.signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(workers.os, "_exit", codes.append)
    started = []

    class Thread:
        def __init__(self, target, daemon):
            started.append((target, daemon))

        def start(self):
            started[-1][0]()

    monkeypatch.setattr(workers.threading, "Thread", Thread)
    for error in (EOFError, OSError):
        pipe = Pipe((2, 3), (4, 5), error)

        def product(left, right, pipe=pipe):
            if len(pipe.sent) == 1:
                raise KeyboardInterrupt
            return left * right

        with pytest.raises(KeyboardInterrupt):
            workers._serve(pipe, product)
        assert pipe.sent == [6]
    assert codes == [1, 1] and {daemon for _, daemon in started} == {True}
    assert handlers == {workers.signal.SIGINT: workers.signal.SIG_IGN,
                        workers.signal.SIGTERM: workers.signal.SIG_DFL}


def test_a_worker_is_a_daemon_that_shares_nothing_and_is_killed(monkeypatch):
    log, ours, theirs = [], Pipe(), Pipe()
    ours.close, theirs.close = (lambda: log.append("ours")), (lambda: log.append("theirs"))

    def process(**options):
        log.append(options)
        return types.SimpleNamespace(start=lambda: log.append("start"), join=lambda: log.append(
            "join"), kill=lambda: log.append("kill"))

    context = types.SimpleNamespace(Pipe=lambda: (ours, theirs), Process=process)
    monkeypatch.setattr(workers.multiprocessing, "get_context",
                        lambda how: context if how == "spawn" else None)
    worker = workers._Worker("function", (7, "arguments"))
    assert log == [{"target": workers._serve, "args": (theirs, "function"), "daemon": True},
                   "start", "theirs"]
    assert (worker.place, ours.sent) == (7, ["arguments"])
    ours.send = lambda thing: (_ for _ in ()).throw(OSError)
    worker.give((8, "more"))  # a dead worker is noticed later
    assert worker.place == 8
    worker.end()
    assert log[3:] == ["kill", "join", "ours"]
