"""Waiting for facts, with a deadline, in place of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Fact = TypeVar("Fact")
_never = threading.Event()


def wait_for(fact: Callable[[], Fact], *, timeout_s: float = 30.0, what: str = "") -> Fact:
    """The first true value of `fact`; raises TimeoutError with `what` was awaited."""
    deadline = time.monotonic() + timeout_s
    while not (value := fact()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what or fact}")
        _never.wait(0.005)
    return value


def eventually(fact: Callable[[], Fact], *, within_s: float = 10.0) -> Fact:
    """`wait_for` with the bound that suits what happens inside one machine."""
    return wait_for(fact, timeout_s=within_s)
