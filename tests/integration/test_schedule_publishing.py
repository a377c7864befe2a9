"""One fire, one message: claimed and queued in one step on a real Redis."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from workers.broker.keys import PRIORITIES
from workers.broker.keys import Keys as QueueKeys
from workers.jobs import SCHEDULED_JOBS, ScheduledJob
from workers.scheduler.publishing import Publisher
from workers.settings import Settings, load_settings
from workers.store import Store
from workers.store.job_state import ms_of

MINUTELY = ScheduledJob(
    "minutely", "* * * * *", "Minutely", "", time_limit_s=30, catch_up_s=300, actor="sync_mailbox",
    arguments={"organization_id": "acme", "mailbox": "a@acme.example"},
)  # fmt: skip
NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=[1, 3], ids=["one partition", "three partitions"])
def settings(request: pytest.FixtureRequest, redis_url: str) -> Settings:
    return load_settings(redis_url=redis_url, partitions=request.param)


@pytest.fixture
def store(async_redis: object, settings: Settings) -> Store:
    return Store.over(async_redis, settings)


@pytest.fixture
def publisher(store: Store, settings: Settings) -> Publisher:
    return Publisher(store, settings)


async def define(store: Store, **changes: Any) -> None:
    """The minutely job, whose last fire before NOW was the one at 11:59."""
    await store.schedule.define([replace(MINUTELY, **changes)])
    await store.redis.hset(
        store.keys.schedule_job("minutely"), "last_due", ms_of(NOW.replace(second=0)) - 60_000
    )


async def queued(store: Store, settings: Settings) -> list[dict[str, Any]]:
    keys = QueueKeys(settings.namespace, 0, settings.partitions)
    lines = [await store.redis.lrange(keys[f"ready:{priority}"], 0, -1) for priority in PRIORITIES]
    return [orjson.loads(entry.partition(b"\n")[2]) for line in lines for entry in line]


async def statuses(store: Store) -> list[str]:
    return [run.status for run in await store.schedule.runs("minutely")]


async def test_a_fire_is_published_once_by_however_many(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store)
    others = [Publisher(store, settings) for _ in range(20)]
    await asyncio.gather(*(one.publish_due("minutely", NOW) for one in (publisher, *others)))
    (message,) = await queued(store, settings)
    assert message["actor_name"] == "run_actor"
    assert message["kwargs"] == {
        "actor": "sync_mailbox",
        "arguments": {"organization_id": "acme", "mailbox": "a@acme.example"},
        "due": "2026-11-22T12:00:00+00:00",
        "run": str(ms_of(NOW.replace(second=0))),
        "job": "minutely",
    }
    assert message["options"]["on_dead"]["actor"] == "record_run_death"
    assert await statuses(store) == ["queued"]


async def test_our_own_jobs_go_to_their_actor(store: Store, settings: Settings, publisher: Publisher) -> None:
    await store.schedule.define([SCHEDULED_JOBS["health_check"]])
    await publisher.publish_due("health_check", datetime.now(UTC) + timedelta(minutes=1))
    (message,) = await queued(store, settings)
    assert message["actor_name"] == "health_check" and message["options"]["priority"] == "high"


async def test_a_disabled_job_does_not_fire(store: Store, settings: Settings, publisher: Publisher) -> None:
    await define(store)
    await store.schedule.disable("minutely")
    await publisher.publish_due("minutely", NOW)
    assert await queued(store, settings) == []


async def test_an_outage_is_made_up_for_once_and_the_rest_counted(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store)
    await publisher.publish_due("minutely", NOW + 4 * MINUTE)
    assert len(await queued(store, settings)) == 1
    assert await statuses(store) == ["queued", "missed"]
    job = await store.schedule.get("minutely")
    assert job.missed_count == 4
    missed = (await store.schedule.runs("minutely"))[1]
    assert missed.fires == 4


async def test_past_the_window_a_fire_is_only_counted(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store, schedule="0 12 * * *", catch_up_s=10)
    await store.redis.hset(store.keys.schedule_job("minutely"), "last_due", ms_of(NOW - timedelta(days=2)))
    await publisher.publish_due("minutely", NOW)
    assert await queued(store, settings) == []
    assert (await store.schedule.get("minutely")).missed_count == 2
    await publisher.publish_due("minutely", NOW)
    assert (await store.schedule.get("minutely")).missed_count == 2, "counted once"


async def test_a_run_at_work_makes_the_next_fire_skip(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store)
    await publisher.publish_due("minutely", NOW)
    await publisher.publish_due("minutely", NOW + MINUTE)
    assert len(await queued(store, settings)) == 1
    assert await statuses(store) == ["skipped", "queued"]
    assert (await store.schedule.get("minutely")).skipped_count == 1


async def test_overlap_allow_runs_them_side_by_side(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store, overlap="allow")
    await publisher.publish_due("minutely", NOW)
    await publisher.publish_due("minutely", NOW + MINUTE)
    assert len(await queued(store, settings)) == 2


async def test_overlap_queue_waits_for_the_end_of_the_former(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store, overlap="queue")
    await publisher.publish_due("minutely", NOW)
    await publisher.publish_due("minutely", NOW + MINUTE)
    await publisher.publish_due("minutely", NOW + MINUTE)
    assert len(await queued(store, settings)) == 1
    (running,) = await store.schedule.runs("minutely")
    version = await store.schedule.version()
    await store.scheduled_runs.finish("minutely", running.id, "completed")
    assert await store.schedule.version() > version, "the schedulers are told"
    await publisher.publish_due("minutely", NOW + MINUTE)
    _, waited = await queued(store, settings)
    assert waited["kwargs"]["due"] == "2026-11-22T12:01:00+00:00"


async def test_a_run_asked_for_comes_once_and_after_the_one_at_work(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store)
    await publisher.publish_due("minutely", NOW)
    (running,) = await store.schedule.runs("minutely")
    await store.schedule.run_now("minutely")
    await publisher.publish_due("minutely", NOW)
    assert len(await queued(store, settings)) == 1, "the former is still at work"
    await store.scheduled_runs.finish("minutely", running.id, "completed")
    await asyncio.gather(*(publisher.publish_due("minutely", NOW) for _ in range(10)))
    assert len(await queued(store, settings)) == 2
    assert [run.trigger for run in await store.schedule.runs("minutely")] == ["request", "schedule"]


async def test_a_disabled_job_still_runs_by_hand(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store)
    await store.schedule.disable("minutely")
    await store.schedule.run_now("minutely")
    await publisher.publish_due("minutely", NOW)
    assert len(await queued(store, settings)) == 1


async def test_what_was_found_by_an_older_definition_is_looked_at_again(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store)
    version_key = store.keys.schedule_job("minutely")
    # Between the scheduler's look and its claim, somebody moves the job.
    standing = await store.schedule.standing("minutely")
    await store.redis.hincrby(version_key, "version", 1)
    outcome = await publisher._publish(standing, "due", NOW.replace(second=0))
    assert outcome == "changed"
    assert await queued(store, settings) == []
    assert await publisher.publish_due("minutely", NOW)
    assert len(await queued(store, settings)) == 1


async def test_a_run_that_nobody_ended_does_not_hold_up_the_job_for_ever(
    store: Store, settings: Settings, publisher: Publisher
) -> None:
    await define(store)
    await publisher.publish_due("minutely", NOW)
    await store.redis.hset(store.keys.schedule_job("minutely"), "running_until", ms_of(datetime.now(UTC)) - 1)
    await publisher.publish_due("minutely", NOW + MINUTE)
    assert len(await queued(store, settings)) == 2
