"""Calls for workers; without torch, so that a process starts fast."""

import os
import signal
import sys
import time


def square(number, folder):
    """The square; 1 kills its process the first time, 2 always, 3 leaves it in an odd way."""
    flag = os.path.join(folder, str(number))
    if number == 2 or number == 1 and not os.path.exists(flag):
        open(flag, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 3:
        sys.exit(7)
    return number**2, os.getpid()


def linger(path):
    """Says who it is, then works for a minute."""
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(60)


def lead(folder):
    """A parent of two workers that linger."""
    from lib.experiments.workers import run
    list(run(linger, [(os.path.join(folder, name),) for name in "ab"], workers=2))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored behind a shell's `&`
    lead(sys.argv[1])
