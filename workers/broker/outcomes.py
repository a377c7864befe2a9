"""What the threads of a worker finished and nobody has told Redis yet."""

from __future__ import annotations

import threading
from collections import deque

from workers.broker.delivery import Delivery
from workers.broker.hand import report_refused


class Outcomes:
    """Threads add to it and never wait; the one that talks to Redis is woken once there are `enough`."""

    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake
        self._settled: deque[Delivery] = deque()
        self.enough = 1

    @property
    def are_enough(self) -> bool:
        return len(self._settled) >= self.enough

    def add(self, delivery: Delivery) -> None:
        """A delivery is over, its outcome is on it."""
        self._settled.append(delivery)
        if self.are_enough and not self._wake.is_set():
            self._wake.set()

    def sort(self) -> int:
        """Give each to the hand that it belongs to, which tells Redis; returns how many there were.

        Those of a lease that was lost are refused: other workers have their messages.
        """
        finished, refused = len(self._settled), 0
        for _ in range(finished):
            delivery = self._settled.popleft()
            hand = delivery.hand
            if delivery.lease != hand.lease:
                refused += delivery.outcome != "given_back"  # never started, nothing is lost
                continue
            hand.outbox.append(delivery.settled(delivery.outcome or "done"))
        if refused:
            report_refused(refused)
        return finished
