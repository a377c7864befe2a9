"""Switches of the HTTP API and three schedulers: each of them alone obeys at once."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.api_service import Api, serving
from tests.redis_process import RedisProcess
from tests.scheduler_fleet import SchedulerFleet, fleet

JOB = '[jobs.watched]\nschedule = "0 0 1 1 *"\nactor = "sync_mailbox"\noverlap = "allow"'
SCHEDULE = "/cron/jobs/watched/schedule"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path / "redis").start()
    yield server
    server.stop()


@pytest.fixture
async def api(server: RedisProcess, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(server.url, tmp_path) as api:
        yield api


@contextmanager
def alone(schedulers: SchedulerFleet, index: int) -> Iterator[None]:
    """Only one of them works meanwhile."""
    others = [process for at, process in enumerate(schedulers.running()) if at != index]
    for process in others:
        process.send_signal(signal.SIGSTOP)
    yield
    for process in others:
        process.send_signal(signal.SIGCONT)


async def fires(schedulers: SchedulerFleet, more_than: int, within_s: float) -> list[str]:
    """The fires, once there are more than so many; raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while len(found := await asyncio.to_thread(schedulers.published, "watched")) <= more_than:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return found


async def no_fire_after(schedulers: SchedulerFleet, moment: datetime) -> None:
    """Two seconds bring no fire that was due after this moment."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            while True:
                due = await asyncio.to_thread(schedulers.published, "watched")
                assert all(datetime.fromisoformat(fire) <= moment for fire in due), due
                await asyncio.sleep(0.05)


async def test_each_scheduler_obeys_at_once(api: Api, server: RedisProcess, tmp_path: Path) -> None:
    """Within a second where the machine is calm; the bounds leave room for a busy one."""
    with fleet(tmp_path, server.url, JOB) as schedulers:
        schedulers.start(3)
        for index in range(3):
            with alone(schedulers, index):
                known = len(schedulers.published("watched"))
                asked = time.monotonic()
                assert (await api.request("PUT", SCHEDULE, json={"schedule": "* * * * * *"})).status == 200
                await fires(schedulers, known, within_s=10)
                # The next full second is up to a second away.
                rescheduled_s = time.monotonic() - asked

                assert (await api.post("/cron/jobs/watched/disable")).status == 200
                await no_fire_after(schedulers, datetime.now(UTC) + timedelta(seconds=1))

                known, asked = len(schedulers.published("watched")), time.monotonic()
                assert (await api.post("/cron/jobs/watched/run")).status == 202
                await fires(schedulers, known, within_s=10)
                run_s = time.monotonic() - asked
                print(f"scheduler {index}: first fire after {rescheduled_s:.2f} s, run after {run_s:.3f} s")
                assert rescheduled_s < 4 and run_s < 3

                assert (await api.request("PUT", SCHEDULE, json={"schedule": "0 0 1 1 *"})).status == 200
                assert (await api.post("/cron/jobs/watched/enable")).status == 200


async def test_what_was_switched_stays_over_a_restart_of_redis(
    api: Api, server: RedisProcess, tmp_path: Path
) -> None:
    with fleet(tmp_path, server.url, JOB) as schedulers:
        schedulers.start(3)
        await api.request("PUT", SCHEDULE, json={"schedule": "30 4 * * *"})
        await api.post("/cron/jobs/watched/disable")
        server.stop()
        server.start()
        job = (await api.get("/cron/jobs/watched")).data["job"]
        assert (job["schedule"], job["enabled"], job["nextRun"]) == ("30 4 * * *", False, None)
        known = len(schedulers.published("watched"))
        assert (await api.post("/cron/jobs/watched/run")).status == 202
        await fires(schedulers, known, within_s=10)
