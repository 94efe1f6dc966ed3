"""Workers: replaced when they are killed, ended with their parent however it ends."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

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
