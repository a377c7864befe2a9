"""Programs that end with the process that started them, even when that one is killed.

Run as a script, this file ties itself to its parent and becomes the program: a tie made between fork and exec
inside the parent would not be safe once that has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

_PR_SET_PDEATHSIG = 1


def start(command: Sequence[str], *, output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """Start a program that gets SIGTERM when this process ends; `output` takes all it prints.

    To be called from the main thread: Linux sends the signal when the thread that started the program ends.
    The program has its own session, so that Ctrl-C reaches us alone and we choose the order of stopping.
    """
    # "Read your settings again" may come before the program listens: it waits until `hear_hangups`.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        return subprocess.Popen(
            [sys.executable, "-IS", __file__, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear_hangups() -> None:
    """Let SIGHUP in, also the one that came since this process was started."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def become(parent: int, command: list[str]) -> None:
    """Tie this process to `parent`, then run `command` in its place (see prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # The parent may have died before the tie was made.
    if os.getppid() != parent:
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 the program that `start` was given


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
