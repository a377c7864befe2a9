"""Graph's limits for an app in a mailbox: calls in flight, calls in 10 minutes, mails sent in a minute."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from workers.sandbox.behaviour import Behaviour
from workers.sandbox.calls import GraphProblem


@dataclass(slots=True)
class _Window:
    """Counts within a window that begins with its first call."""

    length_s: float
    began: float = -math.inf
    count: int = 0

    def take(self, limit: int, now: float) -> float:
        """Count one more; returns 0, or the seconds to wait because the limit is reached."""
        if now - self.began >= self.length_s:
            self.began, self.count = now, 0
        if self.count >= limit:
            return self.began + self.length_s - now
        self.count += 1
        return 0.0


@dataclass(slots=True)
class _Use:
    in_flight: int = 0
    peak: int = 0
    refused: int = 0
    calls: _Window = field(default_factory=lambda: _Window(600.0))
    sends: _Window = field(default_factory=lambda: _Window(60.0))


class Throttle:
    """Keeps count for each (app, mailbox)."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._uses: dict[tuple[str, str], _Use] = {}

    @contextmanager
    def slot(self, client_id: str, mailbox: str) -> Iterator[None]:
        """Hold a place among the calls in flight; GraphProblem 429 when there is none."""
        use = self._uses.setdefault((client_id, mailbox), _Use())
        if use.in_flight >= self._behaviour.concurrent_per_mailbox:
            use.refused += 1
            raise _throttled(
                "Application is over its MailboxConcurrency limit.", self._behaviour.retry_after_s
            )
        if wait_s := use.calls.take(self._behaviour.requests_per_10_min, time.monotonic()):
            use.refused += 1
            raise _throttled("Application is over its request limit for this mailbox.", wait_s)
        use.in_flight += 1
        use.peak = max(use.peak, use.in_flight)
        try:
            yield
        finally:
            use.in_flight -= 1

    def count_send(self, client_id: str, mailbox: str) -> None:
        """Count a mail about to be sent; GraphProblem 429 above the limit of a minute."""
        limit = self._behaviour.sends_per_min
        use = self._uses.setdefault((client_id, mailbox), _Use())
        if limit and (wait_s := use.sends.take(limit, time.monotonic())):
            use.refused += 1
            raise GraphProblem(
                429,
                "ErrorExceededMessageLimit",
                "Cannot send mail. Follow the instructions in your Inbox to verify your account.",
                {"Retry-After": str(math.ceil(wait_s))},
            )

    def peaks(self) -> dict[str, int]:
        """The most calls ever in flight at once, by mailbox."""
        peaks: dict[str, int] = {}
        for (_, mailbox), use in self._uses.items():
            peaks[mailbox] = max(peaks.get(mailbox, 0), use.peak)
        return peaks

    def refusals(self) -> dict[str, int]:
        """Calls refused with 429, by mailbox."""
        refusals: dict[str, int] = {}
        for (_, mailbox), use in self._uses.items():
            refusals[mailbox] = refusals.get(mailbox, 0) + use.refused
        return refusals

    def forget_peaks(self) -> None:
        for use in self._uses.values():
            use.peak, use.refused = use.in_flight, 0


def _throttled(message: str, wait_s: float) -> GraphProblem:
    return GraphProblem(429, "ApplicationThrottled", message, {"Retry-After": str(max(1, math.ceil(wait_s)))})
