"""Who sends the fleet its work, and watches what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import redis

from tests.faults.fleet import NAMESPACE, Fleet
from tests.faults.worker import declare
from workers.broker import Broker

Actors = dict[str, dramatiq.Actor[..., Any]]


@contextmanager
def producing(fleet: Fleet, client: redis.Redis) -> Iterator[tuple[Broker, Actors]]:
    """A broker on the fleet's queue, and the fleet's actors on it, for the length of a block."""
    broker = Broker(NAMESPACE)
    actors = declare(broker, fleet.journal)
    broker.connect(client)
    try:
        yield broker, actors
    finally:
        broker.close()
