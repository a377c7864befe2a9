"""Dead letters as they come to be: a worker ran a message, and waiting would not help."""

from __future__ import annotations

import dramatiq
import redis

from tests.running_worker import running
from tests.waiting import eventually
from workers.broker import Broker
from workers.errors import AccessDenied


class Killer:
    """Lets messages end as dead letters; its actor is `refused`, with the argument `number`."""

    def __init__(self, client: redis.Redis) -> None:
        self._broker = Broker()
        self._broker.connect(client)

        @dramatiq.actor(broker=self._broker, actor_name="refused")
        def refused(number: int) -> None:
            raise AccessDenied(f"no consent for {number}")

        self._refused = refused

    def __call__(self, count: int, organization_id: str) -> None:
        """So many of an organization."""
        dead = self._broker.stats().dead + count
        self._broker.enqueue_many(
            self._refused.message_with_options(args=(), kwargs={"number": n}, organization_id=organization_id)
            for n in range(count)
        )
        with running(self._broker, threads=1):
            eventually(lambda: self._broker.stats().dead == dead)
