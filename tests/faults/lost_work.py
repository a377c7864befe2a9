"""How long the work of a killed worker lies still."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import redis

from tests.faults.fleet import Fleet
from tests.faults.producer import producing
from tests.waiting import wait_for

IN_HAND = 16


def seconds_until_all_run_elsewhere(
    directory: Path, url: str, client: redis.Redis, *, supervised: bool
) -> float:
    """Kill a worker with 16 messages in hand, each long enough to see all of them run at the same time."""
    client.flushall()
    with (
        Fleet(
            directory, url, size=1, threads=IN_HAND, supervised=supervised, supervisor_client=client
        ) as fleet,
        producing(fleet, client) as (broker, actors),
    ):
        broker.enqueue_many(
            [actors["plain"].message(number=number, work_ms=30_000) for number in range(IN_HAND)]
        )
        wait_for(lambda: len(fleet.journal.read()) == IN_HAND)
        fleet.add()
        wait_for(lambda: broker.stats().workers == 2)
        killed = fleet.signal(signal.SIGKILL)
        began = time.monotonic()
        wait_for(lambda: sum(line.pid != killed for line in fleet.journal.read()) == IN_HAND)
        took = time.monotonic() - began
        fleet.kill_all()
    return took
