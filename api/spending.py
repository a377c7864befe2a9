"""What one caller may still spend of a rate limit, as far as this process knows."""

from __future__ import annotations

import math

from workers.store.rates import Kind, Lease

_WINDOW_S = 60


class Spending:
    """A caller's leased share of a limit, and what is known of the rest of it."""

    __slots__ = ("_free_at", "_kind", "_left", "_none_until", "_per_minute", "at_hand", "policy")

    def __init__(self, kind: Kind, per_minute: int) -> None:
        self._kind = kind
        self._per_minute = per_minute
        self.policy = f'"{kind}";q={per_minute};w=60'
        """The RateLimit-Policy header."""
        self.at_hand = 0
        """Requests that may be made without asking."""
        self._left = 0
        self._none_until = 0.0
        self._free_at = 0.0

    def take(self, lease: Lease, now: float) -> None:
        """Add a share. `now` is monotonic, in seconds."""
        self.at_hand += lease.requests
        self._left = lease.left
        self._none_until = 0.0 if lease.requests else now + lease.wait_ms / 1000

    def wait_s(self, now: float) -> float:
        """Seconds until there may be a share again; 0 where asking may help."""
        return max(0.0, self._none_until - now)

    def by_itself(self, wanted: int, now: float) -> Lease:
        """A share by what this process saw alone, while Redis is away (GCRA, as in rates.lua)."""
        each_s = _WINDOW_S / self._per_minute
        free_at = max(self._free_at, now)
        free = math.floor((now + _WINDOW_S - free_at) / each_s + 1e-6)
        granted = min(wanted, free)
        self._free_at = free_at + granted * each_s
        wait_s = 0.0 if granted else free_at + each_s - now - _WINDOW_S
        return Lease(granted, free - granted, math.ceil(wait_s * 1000))

    def text(self) -> str:
        """The RateLimit header: what is left, and the seconds until all of it is there again."""
        left = min(self.at_hand + self._left, self._per_minute)
        seconds = -((left - self._per_minute) * _WINDOW_S // self._per_minute)
        return f'"{self._kind}";r={left};t={seconds}'
