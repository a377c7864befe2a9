"""What the api takes in while Redis is away, refuses, or has enough; and how much at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.load import LOAD
from tests.api_service import SOLO, Api, serving, soon
from tests.redis_process import RedisProcess

ONE = {"messageId": "m1", "organizationId": "solo", "mailbox": SOLO}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RedisProcess]:
    server = RedisProcess(tmp_path / "redis").start()
    yield server
    server.stop()


@pytest.fixture
async def api(store: RedisProcess, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(store.url, tmp_path) as api:
        yield api


async def submits(api: Api) -> int:
    """The status of a job handed in."""
    return (await api.post("/emails/process", ONE)).status


async def until(api: Api, status: int, *, within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while await submits(api) != status:  # noqa: ASYNC110 others decide it
            await asyncio.sleep(0.01)


async def test_without_redis_all_is_refused_at_once_and_taken_soon_after_its_return(
    api: Api, store: RedisProcess
) -> None:
    store.kill()
    await until(api, 503, within_s=10)
    clock = asyncio.get_running_loop()
    for call in (api.post("/emails/process", ONE), api.post("/listen", {"value": []}), api.get("/cron/jobs")):
        began = clock.time()
        refused = await call
        assert (refused.status, refused.json["code"]) == (503, "queue_unavailable")
        assert refused.headers["Retry-After"] == "1"
        assert clock.time() - began < 0.5
    assert (await api.get("/health/live")).status == 200
    assert (await api.get("/openapi.json")).status == 200
    assert (await api.get("/metrics")).status == 200
    assert (await api.get("/no/such")).status == 404
    store.start()
    await until(api, 202, within_s=2)


async def test_a_redis_that_says_nothing_is_away(api: Api, store: RedisProcess) -> None:
    with store.frozen():
        waiting = [asyncio.create_task(submits(api)) for _ in range(20)]
        await until(api, 503, within_s=10)
    # Those caught in between are told how it ended, whichever way.
    assert {await status for status in waiting} <= {202, 503}
    await until(api, 202, within_s=2)


async def test_a_redis_that_is_full_is_still_read_and_emptied(api: Api, store: RedisProcess) -> None:
    await until(api, 202)
    with store.client() as client:
        client.config_set("maxmemory", 1)
        await until(api, 503, within_s=10)
        refused = await api.post("/listen", {"value": []})
        assert (refused.status, refused.json["code"]) == (503, "queue_unavailable")
        assert (await api.get("/jobs/stats")).status == 200
        client.config_set("maxmemory", 0)
        await until(api, 202, within_s=2)


async def test_beyond_its_bound_the_queue_takes_no_more(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path, queue_limit_messages=3) as api:
        for _ in range(3):
            assert await submits(api) == 202
        await until(api, 503)
        refused = await api.post("/emails/process/bulk", {"messageIds": ["m1"], "organizationId": "solo"})
        assert (refused.status, refused.json["code"]) == (503, "queue_full")
        assert refused.headers["Retry-After"] == "1"
        assert (await api.post("/listen", {"value": []})).status == 202
        assert (await api.get("/jobs/stats")).status == 200
        api.queue.client.flushall()
        await until(api, 202)


async def test_no_more_requests_are_in_hand_than_are_allowed(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path, api_requests_in_hand=2) as api:
        patient = {"Prefer": "wait=60"}
        waiting = [asyncio.create_task(api.post("/emails/process", ONE, headers=patient)) for _ in range(2)]
        await soon(lambda: api.app[LOAD].in_hand == 2)
        refused = await api.get("/organizations")
        assert (refused.status, refused.json["code"]) == (503, "busy")
        assert refused.headers["Retry-After"] == "1"
        assert (await api.get("/health/ready")).status == 200
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
