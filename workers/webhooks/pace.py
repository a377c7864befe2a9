"""How many deliveries a process has under way: webhooks that hang must not take the threads from the mail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from workers.errors import Busy

_SOONEST_S, _LATEST_S = 0.5, 600.0


@dataclass
class _Lane:
    """One webhook: how many are under way, how long the last took, when the next turned away had its turn."""

    under_way: int = 0
    took_s: float = 0.1
    turn_at: float = 0.0


class Pace:
    """Places for deliveries: so many for all webhooks together, and so many for each."""

    def __init__(self, total: int, each: int) -> None:
        self._free = total
        self._each = each
        self._lanes: dict[tuple[str, str], _Lane] = {}

    @contextmanager
    def place(self, webhook: tuple[str, str]) -> Iterator[None]:
        """Hold a place for the length of a delivery.

        Raises Busy where none is free, with the time at which the caller's turn would come at the pace of the
        last deliveries: however many are turned away, they come back no faster than they can be served.
        """
        lane = self._lanes.setdefault(webhook, _Lane())
        if lane.under_way >= self._each or not self._free:
            now = time.monotonic()
            lane.turn_at = min(
                max(lane.turn_at, now + _SOONEST_S) + lane.took_s / self._each, now + _LATEST_S
            )
            raise Busy("others go to this webhook first", retry_after_s=lane.turn_at - now)
        lane.under_way += 1
        self._free -= 1
        began = time.monotonic()
        try:
            yield
        finally:
            lane.took_s = time.monotonic() - began
            lane.under_way -= 1
            self._free += 1
