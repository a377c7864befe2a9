"""Bounds of asking a language model: tokens a day, time, questions in flight, endpoints that are down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.llm_access import a_mail, language_model, opinion, organization
from tests.llm_server import LlmServer, Received, hangs, llm_server, refuses
from tests.waiting import wait_for
from workers.analysis.result import Analysis
from workers.organizations import Organizations
from workers.redis_clients import AsyncRedis


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with llm_server() as running:
        yield running


def other_mail(number: int) -> str:
    """Text that is not asked about yet, digits aside (these are redacted)."""
    return (
        f"Buenos días, le escribo por el asunto {'abcdefghij'[number % 10]}{'klmnopqrst'[number // 10 % 10]}."
    )


def sources(results: list[Analysis]) -> list[str]:
    return [
        str(result.llm["reason"] if "reason" in result.llm else result.llm["source"])
        for result in results
        if result.llm
    ]


async def test_the_budget_of_a_day_is_never_exceeded(server: LlmServer, async_redis: AsyncRedis) -> None:
    """Two processes ask at once; what is reserved and what was used never passes the budget."""
    acme = organization(server, tokens_per_day=9_000, at_once=8)
    told = 0

    def told_tokens(received: Received) -> int:
        nonlocal told
        told += 700
        return 700

    server.tokens_told = told_tokens
    async with language_model(async_redis, acme) as one, language_model(async_redis, acme) as other:
        asked = [opinion((one, other)[n % 2], acme, a_mail(other_mail(n))) for n in range(40)]
        results = await asyncio.gather(*asked)
        used = await one.tokens_today("acme")
    outcomes = sources(results)
    assert 0 < outcomes.count("llm") < 40
    assert set(outcomes) == {"llm", "budget"}
    assert used == told == 700 * len(server.received)
    assert used <= 9_000


async def test_each_organization_has_its_own_budget(server: LlmServer, async_redis: AsyncRedis) -> None:
    poor, rich = organization(server, name="poor", tokens_per_day=10), organization(server, name="rich")
    async with language_model(async_redis, poor, rich) as model:
        results = [await opinion(model, poor), await opinion(model, rich)]
    assert sources(results) == ["budget", "llm"]
    assert len(server.received) == 1


async def test_what_the_server_does_not_count_is_counted_in_full(
    server: LlmServer, async_redis: AsyncRedis
) -> None:
    acme = organization(server)
    server.tokens_told = lambda _: None
    async with language_model(async_redis, acme) as model:
        result = await opinion(model, acme)
        used = await model.tokens_today("acme")
    assert result.llm is not None and result.llm["tokens"] == used
    # Never less than what the request had, were every byte a token.
    assert used > len(server.received[0].body["messages"][1]["content"].encode())


@pytest.mark.parametrize(("status", "is_free"), [(429, True), (401, True), (500, False)])
async def test_only_what_surely_cost_nothing_is_given_back(
    server: LlmServer, async_redis: AsyncRedis, status: int, is_free: bool
) -> None:
    acme = organization(server)
    server.then(refuses(status), refuses(status))
    async with language_model(async_redis, acme) as model:
        await opinion(model, acme)
        assert (await model.tokens_today("acme") == 0) is is_free


async def test_no_more_questions_are_in_flight_than_allowed(
    server: LlmServer, async_redis: AsyncRedis
) -> None:
    acme = organization(server, at_once=3)
    async with language_model(async_redis, acme) as model:
        results = await asyncio.gather(*(opinion(model, acme, a_mail(other_mail(n))) for n in range(12)))
    assert set(sources(list(results))) == {"llm"}
    assert server.most_in_flight <= 3


async def test_where_all_places_are_taken_mail_goes_on_at_once(
    server: LlmServer, async_redis: AsyncRedis
) -> None:
    acme, beta = organization(server, at_once=1), organization(server, name="beta")
    server.then(*[hangs] * 6)
    async with language_model(async_redis, acme, beta, worker_threads=64) as model:
        waiting = [asyncio.create_task(opinion(model, acme, a_mail(other_mail(n)))) for n in range(4)]
        await asyncio.to_thread(wait_for, lambda: server.received)
        started = time.monotonic()
        crowded = await opinion(model, acme, a_mail("Otro mensaje más."))
        assert time.monotonic() - started < 0.5
        assert sources([crowded]) == ["busy"]
        server.release()
        assert sources([await opinion(model, beta)]) == ["llm"]
        await asyncio.gather(*waiting)


async def test_half_of_a_process_never_waits_for_models(server: LlmServer, async_redis: AsyncRedis) -> None:
    acme = organization(server, at_once=64)
    server.then(*[hangs] * 64)
    async with language_model(async_redis, acme, worker_threads=8) as model:
        asked = [asyncio.create_task(opinion(model, acme, a_mail(other_mail(n)))) for n in range(10)]
        done, waiting = await asyncio.wait(asked, timeout=2.0)
        assert sources([task.result() for task in done]) == ["busy"] * 6
        assert len(waiting) == 4
        server.release()
        await asyncio.gather(*waiting)


async def test_the_time_limit_holds_over_all_tries(server: LlmServer, async_redis: AsyncRedis) -> None:
    acme = organization(server, timeout_s=0.6)
    server.then(refuses(429, Retry_After="0.2"), hangs)
    async with language_model(async_redis, acme) as model:
        started = time.monotonic()
        result = await opinion(model, acme)
        took_s = time.monotonic() - started
    assert sources([result]) == ["timeout"]
    assert len(server.received) == 2
    assert took_s < 0.9


async def test_a_server_that_is_down_is_not_asked_for_a_while(
    server: LlmServer, async_redis: AsyncRedis
) -> None:
    acme = organization(server, timeout_s=0.3)
    server.then(*[hangs] * 10)
    async with language_model(async_redis, acme) as model:
        results = [await opinion(model, acme, a_mail(other_mail(n))) for n in range(6)]
    assert sources(results) == ["timeout"] * 3 + ["resting"] * 3
    assert len(server.received) == 3
    assert all(result.llm["ms"] < 100 for result in results[3:] if result.llm)


async def test_a_pause_that_the_server_asks_for_is_kept(server: LlmServer, async_redis: AsyncRedis) -> None:
    acme = organization(server)
    server.then(refuses(429, Retry_After="60"))
    async with language_model(async_redis, acme) as model:
        results = [await opinion(model, acme, a_mail(other_mail(n))) for n in range(4)]
    assert sources(results) == ["rate_limited"] * 4
    assert len(server.received) == 1


async def test_without_redis_the_local_result_stands(server: LlmServer, async_redis: AsyncRedis) -> None:
    acme = organization(server, timeout_s=2.0)
    async with language_model(async_redis, acme) as model:
        await async_redis.config_set("maxmemory", "1")
        try:
            result = await opinion(model, acme)
        finally:
            await async_redis.config_set("maxmemory", "0")
    assert sources([result]) == ["redis"]


async def test_changed_settings_count_at_once(server: LlmServer, async_redis: AsyncRedis) -> None:
    acme = organization(server, endpoint="http://127.0.0.1:9/v1")
    moved = organization(server)
    async with language_model(async_redis, acme) as model:
        before = await opinion(model, acme)
        after = await opinion(model, moved)
    assert sources([before, after]) == ["unreachable", "llm"]


async def test_a_new_key_counts_from_a_reload_on(
    server: LlmServer, async_redis: AsyncRedis, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("first")
    acme = organization(server, api_key=f"file:{key}")
    async with language_model(async_redis, acme) as model:
        await opinion(model, acme, a_mail("Uno."))
        server.then(hangs)
        under_way = asyncio.create_task(opinion(model, acme, a_mail("Dos.")))
        await asyncio.to_thread(wait_for, lambda: len(server.received) == 2)
        key.write_text("second")
        await model.reload(Organizations((acme,)))
        await opinion(model, acme, a_mail("Tres."))
        server.release()
        assert sources([await under_way]) == ["llm"]
    keys = [received.headers["Authorization"] for received in server.received]
    assert keys == ["Bearer first", "Bearer first", "Bearer second"]
