"""Many schedulers, some killed and some paused: every due time is published once."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.redis_process import RedisProcess
from tests.scheduler_fleet import SchedulerFleet, fleet
from tests.waiting import wait_for
from workers.settings import load_settings
from workers.store import Store

SECONDLY = "".join(
    f"""
    [jobs.j{number}]
    schedule = "* * * * * *"
    actor = "sync_mailbox"
    overlap = "allow"
    catch_up_s = 60
    """
    for number in range(10)
)


@pytest.fixture
def store(async_redis: object, redis_url: str) -> Store:
    return Store.over(async_redis, load_settings(redis_url=redis_url))


def play_faults(schedulers: SchedulerFleet, seconds: float, every_s: float) -> int:
    """Kill one and pause one every few seconds, at random; a third works on. Returns how many were killed."""
    chance = random.Random(7)
    end, killed = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        victim, sleeper = chance.sample(schedulers.running(), 2)
        sleeper.send_signal(signal.SIGSTOP)
        victim.kill()
        victim.wait()
        killed += 1
        schedulers.start()
        resume_at = time.monotonic() + min(every_s, left)
        wait_for(lambda at=resume_at: time.monotonic() >= at, timeout_s=every_s + 5)  # type: ignore[misc]
        sleeper.send_signal(signal.SIGCONT)
    return killed


async def assert_published_once(schedulers: SchedulerFleet, store: Store) -> tuple[int, int]:
    """End the fleet: every second is there once or was counted as missed; (published, missed) of all jobs."""
    schedulers.kill()
    missed = {job.id: job.missed_count for job in await store.schedule.jobs()}
    total = total_missed = 0
    for number in range(10):
        job_id = f"j{number}"
        due = [int(datetime.fromisoformat(text).timestamp()) for text in schedulers.published(job_id)]
        assert due == sorted(set(due)), "once each, in order"
        gaps = due[-1] - due[0] + 1 - len(due)
        # The job may have been defined a moment before the first fire that was published.
        assert gaps <= missed[job_id] <= gaps + 2, "what was not published was counted, and nothing else"
        total, total_missed = total + len(due), total_missed + gaps
    return total, total_missed


async def _play(store: Store, directory: Path, redis_url: str, seconds: float, every_s: float) -> None:
    with fleet(directory, redis_url, SECONDLY) as schedulers:
        schedulers.start(3)
        killed = await asyncio.to_thread(play_faults, schedulers, seconds, every_s)
        published, missed = await assert_published_once(schedulers, store)
    print(f"{published} fires published once, {missed} missed, {killed} schedulers killed in {seconds} s")
    assert published > 10 * (seconds - 3) * 0.9


async def test_every_second_is_published_once_though_schedulers_die(
    store: Store, tmp_path: Path, redis_url: str
) -> None:
    await _play(store, tmp_path, redis_url, seconds=12, every_s=3)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_ten_minutes_of_dying_schedulers(store: Store, tmp_path: Path, redis_url: str) -> None:
    await _play(store, tmp_path, redis_url, seconds=600, every_s=4)


async def test_a_lone_scheduler_killed_and_started_again_makes_up_for_the_outage_once(
    store: Store, tmp_path: Path, redis_url: str
) -> None:
    with fleet(tmp_path, redis_url, SECONDLY) as schedulers:
        schedulers.start()
        wait_for(lambda: all(schedulers.published(f"j{number}") for number in range(10)), what="first fires")
        (process,) = schedulers.running()
        process.kill()
        process.wait()
        last = schedulers.published("j0")[-1]
        down_until = time.monotonic() + 3
        wait_for(lambda: time.monotonic() > down_until)
        schedulers.start()
        wait_for(lambda: schedulers.published("j0")[-1] != last, what="a fire after the outage")
        assert (await store.schedule.get("j0")).missed_count >= 2
        await assert_published_once(schedulers, store)


async def test_changes_are_followed_by_all_within_a_second(
    store: Store, tmp_path: Path, redis_url: str
) -> None:
    with fleet(tmp_path, redis_url, SECONDLY) as schedulers:
        schedulers.start(3)
        wait_for(lambda: schedulers.published("j0"), what="a first fire")
        await store.schedule.disable("j0")
        count = len(schedulers.published("j0"))
        seen = time.monotonic() + 2.5
        await asyncio.to_thread(wait_for, lambda: time.monotonic() > seen)
        assert len(schedulers.published("j0")) <= count, "disabled: not one fire more"
        asked = time.monotonic()
        await store.schedule.run_now("j0")
        await asyncio.to_thread(wait_for, lambda: len(schedulers.published("j0")) > count, timeout_s=3)
        assert time.monotonic() - asked < 1, "run now"
        await store.schedule.reschedule("j0", "* * * * * *")
        moved = time.monotonic()
        await store.schedule.enable("j0")
        await asyncio.to_thread(wait_for, lambda: len(schedulers.published("j0")) > count + 1, timeout_s=5)
        assert time.monotonic() - moved < 2.1, "within a second, and then the next second's fire"


async def test_the_fleet_opens_with_one_look_at_everything(
    store: Store, tmp_path: Path, redis_url: str
) -> None:
    with fleet(tmp_path, redis_url) as schedulers:
        schedulers.start(3)
        wait_for(lambda: schedulers.published("graph_sync"), what="the opening run")
        schedulers.start()
        runs = await store.schedule.runs("graph_sync")
        assert [run.trigger for run in runs if run.trigger == "start"] == ["start"]


async def test_a_hangup_reads_the_table_again_and_a_bad_one_changes_nothing(
    store: Store, tmp_path: Path, redis_url: str
) -> None:
    with fleet(tmp_path, redis_url) as schedulers:
        schedulers.start(2)
        schedulers.define('[jobs.mine]\nschedule = "bad"\nactor = "sync_mailbox"')
        schedulers.send(signal.SIGHUP)
        wait_for(lambda: schedulers.log().count("settings_not_reloaded") == 2, what="both to refuse it")
        assert len(await store.schedule.jobs()) == 6
        schedulers.define('[jobs.mine]\nschedule = "* * * * * *"\nactor = "sync_mailbox"')
        schedulers.send(signal.SIGHUP)
        wait_for(lambda: schedulers.published("mine"), what="a fire of the new job")


async def test_sigterm_ends_it_cleanly(store: Store, tmp_path: Path, redis_url: str) -> None:
    with fleet(tmp_path, redis_url) as schedulers:
        schedulers.start()
        (process,) = schedulers.running()
        process.terminate()
        assert process.wait(timeout=10) == 0
        assert await store.schedulers.silent_s() == {}, "it signed off"


async def test_schedulers_outlive_redis(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path / "redis").start()
    try:
        with fleet(tmp_path, server.url, SECONDLY) as schedulers:
            schedulers.start(2)
            wait_for(lambda: len(schedulers.published("j0")) > 1, what="fires")
            server.kill()
            server.start()
            before = len(schedulers.published("j0"))
            wait_for(lambda: len(schedulers.published("j0")) > before + 1, what="fires after the restart")
            due = schedulers.published("j0")
            assert due == sorted(set(due))
            assert len(schedulers.running()) == 2
    finally:
        server.stop()
