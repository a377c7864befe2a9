"""How often and how patiently each actor is tried again: the one table of it.

The wait before try n is base * 2^(n-1), up to the cap, with jitter. A throttled try (429, busy) counts for
nothing. With these figures a message survives an outage of Graph of a good day.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, ParamSpec, TypeVar, cast

import dramatiq

from workers.broker.policy import Policy

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class RetryPolicy:
    """Attempts in all, and the backoff between them in seconds."""

    max_attempts: int
    backoff_base_s: float
    backoff_cap_s: float

    def actor(self, function: Callable[P, Awaitable[R]]) -> dramatiq.Actor[P, Awaitable[R]]:
        """Make a coroutine function an actor that is tried again by this policy (a decorator)."""
        made: Any = dramatiq.actor(**asdict(self))(function)
        return cast("dramatiq.Actor[P, Awaitable[R]]", made)

    def backoff_s(self, attempts: int) -> float:
        """How long a message waits that was tried so often."""
        return Policy(**asdict(self)).backoff_s(attempts)


PROCESS = RetryPolicy(max_attempts=40, backoff_base_s=1.0, backoff_cap_s=3600.0)
ACTION = RetryPolicy(max_attempts=40, backoff_base_s=1.0, backoff_cap_s=3600.0)
LEARNING = RetryPolicy(max_attempts=40, backoff_base_s=1.0, backoff_cap_s=3600.0)
SYNC = RetryPolicy(max_attempts=12, backoff_base_s=1.0, backoff_cap_s=300.0)
# The next fire of the schedule does the work again anyway.
SCHEDULED = RetryPolicy(max_attempts=3, backoff_base_s=2.0, backoff_cap_s=30.0)
# A webhook that is down for a day is told of all of it: 18 tries, the later ones four hours apart.
WEBHOOK = RetryPolicy(max_attempts=18, backoff_base_s=5.0, backoff_cap_s=4 * 3600.0)
BOOKKEEPING = RetryPolicy(max_attempts=100, backoff_base_s=0.5, backoff_cap_s=60.0)
