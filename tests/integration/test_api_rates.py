"""Rate limits: of keys, addresses and senders of notifications, over all processes."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import redis
import redis.asyncio

from api.rates import Leases, Limit
from api.refusals import Refusal
from api.wiring import KEYRING
from tests.api_service import Reply, serving, soon
from workers.store import Rates
from workers.store.api_keys import new_key
from workers.store.keys import Keys

NOWHERE = "redis://127.0.0.1:1/0"


async def test_a_limit_holds_over_all_processes(redis_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        apis = []
        for number in range(3):
            directory = tmp_path / str(number)
            directory.mkdir()
            apis.append(
                await stack.enter_async_context(serving(redis_url, directory, address_requests_per_minute=20))
            )
        replies = await asyncio.gather(*(api.get("/organizations") for _ in range(15) for api in apis))
    # It refills all the while: one each three seconds.
    assert 20 <= Counter(reply.status for reply in replies)[200] <= 24
    refused = [reply for reply in replies if reply.status == 429]
    assert len(refused) >= 21
    for reply in refused:
        assert reply.json["code"] == "rate_limited"
        assert 1 <= int(reply.headers["Retry-After"]) <= 3
        assert reply.headers["RateLimit-Policy"] == '"address";q=20;w=60'
        assert reply.headers["RateLimit"].startswith('"address";r=0;t=')


async def test_after_the_time_told_a_request_passes_again(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path, address_requests_per_minute=60) as api:
        while (refused := await api.get("/organizations")).status != 429:
            assert refused.status == 200
        await asyncio.sleep(int(refused.headers["Retry-After"]))
        assert (await api.get("/organizations")).status == 200


async def test_answers_say_what_is_left(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path, address_requests_per_minute=60) as api:
        left = [(await api.get(f"/jobs/{number}")).headers["RateLimit"] for number in range(3)]
    assert left[0] == '"address";r=59;t=1'
    assert left[2] in ('"address";r=57;t=3', '"address";r=58;t=2')


async def test_each_key_has_its_own(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path, key_requests_per_minute=10) as api:
        texts = []
        for name in ("busy", "calm"):
            key, text = new_key(name, ["read"])
            await api.store.api_keys.add(key)
            texts.append({"Authorization": f"Bearer {text}"})
        busy, calm = texts
        await soon(lambda: api.app[KEYRING].has_keys)
        seen = [await api.get("/organizations", headers=busy) for _ in range(14)]
        assert Counter(reply.status for reply in seen)[429] >= 3
        assert seen[-1].headers["RateLimit-Policy"] == '"key";q=10;w=60'
        assert (await api.get("/organizations", headers=calm)).headers["RateLimit"] == '"key";r=9;t=6'
        assert (await api.get("/organizations")).headers["RateLimit-Policy"].startswith('"address"')


async def test_notifications_are_counted_apart_by_their_sender(redis_url: str, tmp_path: Path) -> None:
    async with serving(
        redis_url,
        tmp_path,
        address_requests_per_minute=5,
        listen_requests_per_minute=10,
        trusted_proxies="127.0.0.1",
    ) as api:

        async def notify(sender: str) -> Reply:
            return await api.post("/listen", {"value": []}, headers={"X-Forwarded-For": sender})

        assert Counter([(await notify("20.20.32.1")).status for _ in range(14)])[429] >= 3
        assert (await notify("20.20.32.2")).status == 202
        others = {"X-Forwarded-For": "20.20.32.1"}
        assert (await api.get("/organizations", headers=others)).status == 200


async def test_probes_are_never_refused(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path, address_requests_per_minute=1) as api:
        for _ in range(5):
            reply = await api.get("/health/live")
            assert (reply.status, "RateLimit" in reply.headers) == (200, False)
        assert (await api.get("/health/ready")).status == 200


async def test_a_limit_can_be_lifted(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path, address_requests_per_minute=0) as api:
        assert "RateLimit" not in (await api.get("/organizations")).headers


async def test_requests_cost_few_round_trips(
    redis_client: redis.Redis, async_redis: redis.asyncio.Redis
) -> None:
    leases = Leases(Rates(async_redis, Keys("econeura")))
    limit = Limit("key", 60_000, leases)
    await limit.spend("caller")
    before = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"]
    for _ in range(3000):
        assert limit.spend_at_hand("caller") or await limit.spend("caller")
    assert redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] <= before + 6


async def test_many_callers_at_once_share_a_round_trip(
    redis_client: redis.Redis, async_redis: redis.asyncio.Redis
) -> None:
    limit = Limit("address", 60_000, Leases(Rates(async_redis, Keys("econeura"))))
    await limit.spend("first")
    before = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"]
    await asyncio.gather(*(limit.spend(f"10.0.0.{number}") for number in range(200)))
    assert redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1


async def test_without_redis_a_process_counts_by_itself_and_keeps_nobody_waiting() -> None:
    async with redis.asyncio.Redis.from_url(NOWHERE) as nowhere:
        limit = Limit("key", 60, Leases(Rates(nowhere, Keys("econeura"))))
        began = asyncio.get_running_loop().time()
        passed = 0
        for _ in range(70):
            passed += await passes(limit, "caller")
        assert 60 <= passed <= 63
        assert asyncio.get_running_loop().time() - began < 2


async def passes(limit: Limit, who: str) -> bool:
    try:
        await limit.spend(who)
    except Refusal as refused:
        assert refused.status == 429
        return False
    return True
