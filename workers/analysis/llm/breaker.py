"""Leaves an endpoint alone that fails or asks us to slow down, so that mail does not wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable

_FAILURES_IN_A_ROW = 3
_FIRST_REST_S = 15.0
_LONGEST_REST_S = 300.0
# A wrong key or model name does not heal by itself; a person corrects it at some time.
_REFUSED_REST_S = 60.0
_UNNAMED_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 3600.0


class Breaker:
    """Open after a row of failures, for a time that doubles; then one question goes through to see.

    The time limits of the questions themselves are not its matter.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self._paused_until = 0.0

    def paused_s(self) -> float:
        """Seconds for which the endpoint asked us to send nothing."""
        return max(0.0, self._paused_until - self._clock())

    def lets_through(self) -> bool:
        """Whether to ask now. After a rest only one question goes through, until it is answered."""
        now = self._clock()
        if self._open_until > now:
            return False
        if self._open_until:
            self._open_until = now + self._rest_s()
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._open_until = 0.0

    def failed(self, code: str, retry_after_s: float | None) -> None:
        """Count how a question failed: by the code of its NoAnswer."""
        now = self._clock()
        if code == "rate_limited":
            pause_s = min(retry_after_s or _UNNAMED_PAUSE_S, _LONGEST_PAUSE_S)
            self._paused_until = max(self._paused_until, now + pause_s)
        elif code == "refused":
            self._open_until = now + _REFUSED_REST_S
        elif code in ("unreachable", "server_error", "cut", "timeout", "too_large"):
            self._failures += 1
            if self._failures >= _FAILURES_IN_A_ROW:
                self._open_until = now + self._rest_s()

    def _rest_s(self) -> float:
        doublings = max(0, min(self._failures - _FAILURES_IN_A_ROW, 10))
        return float(min(_FIRST_REST_S * 2**doublings, _LONGEST_REST_S))
