"""Processes as a person sees them in `ps`: by the title they gave themselves."""

from __future__ import annotations

import psutil


def title_of(process: psutil.Process) -> str:
    """Its command line; "" once it has ended, also before its parent took note of that."""
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""


def titled(parent_pid: int, title: str) -> list[psutil.Process]:
    """The living processes below a parent that have this title."""
    try:
        below = psutil.Process(parent_pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in below if title_of(process) == title]
