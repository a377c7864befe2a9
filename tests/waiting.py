"""Waiting for facts, with a deadline, in place of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Fact = TypeVar("Fact")


def wait_for(fact: Callable[[], Fact], *, timeout_s: float = 30.0, what: str = "") -> Fact:
    """The first true value of `fact`; raises TimeoutError with `what` was awaited."""
    deadline = time.monotonic() + timeout_s
    while not (value := fact()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what or fact}")
        time.sleep(0.01)
    return value
