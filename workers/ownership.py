"""Locks on files of the data directory: at most one process at a time is the owner of each."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from workers.errors import SettingsError


class InUse(SettingsError):
    """Another process is the owner."""


def take(path: Path) -> IO[str]:
    """Become the owner until the file returned is closed or this process ends.

    Raises InUse where another process is the owner, SettingsError where the directory cannot be written.
    """
    try:
        # What is kept there is about people's mail.
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = path.open("a+")
    except OSError as refused:
        raise SettingsError(f"ECONEURA_DATA_DIR: cannot write in {path.parent}: {refused.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise InUse(
            f"{path.parent} is in use by process {owner}: stop that one, or set ECONEURA_DATA_DIR to another "
            "directory"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
