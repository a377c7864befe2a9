"""Actors that are coroutines."""

from __future__ import annotations

import asyncio
import threading

import dramatiq
import uvloop

from tests.running_worker import running
from tests.waiting import eventually
from workers import logs
from workers.broker import Broker


def test_they_share_one_uvloop_and_know_whose_work_they_do(broker: Broker) -> None:
    seen: list[tuple[asyncio.AbstractEventLoop, str]] = []

    @dramatiq.actor(broker=broker)
    async def note() -> None:
        await asyncio.sleep(0)
        seen.append((asyncio.get_running_loop(), logs.correlation_id()))

    with running(broker):
        for number in range(5):
            note.send_with_options(correlation_id=f"c{number}")
        eventually(lambda: len(seen) == 5)
    assert len({loop for loop, _ in seen}) == 1
    assert isinstance(seen[0][0], uvloop.Loop)
    assert {correlation_id for _, correlation_id in seen} == {f"c{number}" for number in range(5)}


def test_a_message_sent_by_an_actor_inherits_its_correlation_id(broker: Broker) -> None:
    seen: list[str] = []

    @dramatiq.actor(broker=broker)
    def child() -> None:
        seen.append(logs.correlation_id())

    @dramatiq.actor(broker=broker)
    async def parent() -> None:
        child.send()

    with running(broker):
        parent.send_with_options(correlation_id="c-123")
        eventually(lambda: seen == ["c-123"])


def test_one_that_runs_past_its_time_limit_is_cancelled_and_tried_again(broker: Broker) -> None:
    ends: list[str] = []

    @dramatiq.actor(broker=broker, time_limit_s=0.1, backoff_base_s=0.01, max_attempts=2)
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cancelled")

    with running(broker):
        endless.send()
        eventually(lambda: broker.stats().dead == 1)
    assert ends == ["cancelled", "cancelled"]
    [letter], _ = broker.dead_letters.page()
    assert letter.error == "ran longer than 0.1 s"


def test_a_timeout_of_its_own_is_an_error_like_any_other(broker: Broker) -> None:
    @dramatiq.actor(broker=broker, max_attempts=1)
    async def impatient() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    with running(broker):
        impatient.send()
        eventually(lambda: broker.stats().dead == 1)
    [letter], _ = broker.dead_letters.page()
    assert letter.error.startswith("TimeoutError")


def test_one_that_outlasts_the_grace_is_cancelled_and_its_message_given_back_untried(broker: Broker) -> None:
    started, cancelled = threading.Event(), threading.Event()

    @dramatiq.actor(broker=broker)
    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    endless.send()
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=30_000)
    worker.start()
    assert started.wait(10)
    worker.stop(timeout=100)
    assert cancelled.is_set()
    assert broker.stats().by_status == {"waiting": 1, "delayed": 0, "running": 0, "dead": 0}
    [raw] = broker.client.lrange(broker.keys[0]["ready:normal"], 0, -1)
    assert b'"retries"' not in raw
