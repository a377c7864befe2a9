"""The directory in which the processes of a host keep their metrics, shared by those that run together.

It imports nothing of prometheus_client: that library chooses between memory and shared files when it is
imported, by the variable that `claimed` sets.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.settings import set_process_environment


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Join the processes that share this directory; the first one wipes what an earlier run left.

    To be held for the life of the process: a wipe waits until nobody holds the directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
        else:
            for stale in directory.glob("*.db"):
                stale.unlink(missing_ok=True)
            fcntl.flock(lock, fcntl.LOCK_SH)
        set_process_environment(PROMETHEUS_MULTIPROC_DIR=str(directory))
        yield
