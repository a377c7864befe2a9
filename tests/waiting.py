"""Waiting for a fact, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Fact = TypeVar("Fact")
_never = threading.Event()


def eventually(fact: Callable[[], Fact], *, within_s: float = 10.0) -> Fact:
    """The first true value of `fact`; raises AssertionError when it stays false."""
    end = time.monotonic() + within_s
    while not (value := fact()):
        assert time.monotonic() < end, f"not true within {within_s} s"
        _never.wait(0.002)
    return value
