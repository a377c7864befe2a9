"""When the next messages may start: apart from each other, so that some thread is always about to be free."""

from __future__ import annotations

_PHASES = 8
_SLOW_S = 0.005
_ANY_NUMBER = 1 << 30


class Pace:
    """Keeps threads that work off a backlog of slow messages from running in step.

    Messages taken together end together. With all threads in step an urgent one would wait for the better
    part of a run; spread over it, an eighth of the threads ends every eighth of a run. The distance kept is
    half of that, and only where threads were all busy within the last run: what finds idle threads starts at
    once.
    """

    def __init__(self, threads: int) -> None:
        self._group = max(threads // _PHASES, 1)
        self._full_at = 0.0
        self.next_at = 0.0
        """When more may be taken."""

    def note_full(self, now: float) -> None:
        """All threads had work until now."""
        self._full_at = now

    def allows(self, now: float, run_s: float) -> int:
        """How many messages may be taken now; `run_s`: how long one runs."""
        if run_s < _SLOW_S or now - self._full_at > run_s:
            return _ANY_NUMBER
        return self._group if now >= self.next_at else 0

    def note_taken(self, count: int, now: float, run_s: float) -> None:
        if run_s >= _SLOW_S:
            self.next_at = now + run_s / (2 * _PHASES) * min(count / self._group, 1)
