"""The look at everything on a real Redis: what is kept, what is told, what each part notices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme

from tests.lent_context import ACME, lent
from workers.broker import Broker
from workers.health.check import check_health
from workers.health.graph_part import look_at_graph
from workers.health.redis_part import look_at_redis
from workers.pipeline.context import Context
from workers.settings import load_settings
from workers.store import Subscription

BOX = ACME.mailboxes[0]


@pytest.fixture
def with_settings(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    """The server, whose settings are put back after the test."""
    names = ("maxmemory", "maxmemory-policy", "appendonly")
    former: dict[Any, Any] = {}
    for name in names:
        former |= redis_client.config_get(name)
    yield redis_client
    for name, value in former.items():
        redis_client.config_set(name, value)


def subscription(*, ends_in_s: float, health: str = "ok") -> Subscription:
    now = datetime.now(UTC)
    ends = (now + timedelta(seconds=ends_in_s)).isoformat()
    return Subscription("s1", "acme", BOX, "inbox", "secret", ends, now.isoformat(), health)


async def test_the_result_is_kept_and_its_changes_are_told_once(context: Context, broker: Broker) -> None:
    first = await check_health(context, broker)
    assert first["status"] == "degraded", "no scheduler runs, and the organization has no credential"
    kept = await context.store.health.read()
    assert kept is not None and kept["status"] == "degraded"
    assert set(kept["services"]) == {"redis", "queue", "schedulers", "schedule", "graph", "disk"}
    assert kept["services"]["redis"]["status"] == "healthy"
    assert "schedulers: no scheduler is alive: nothing runs by itself" in kept["warnings"]
    assert "graph: acme: no token: access_denied" in kept["warnings"]
    assert first["changes"] == 2
    again = await check_health(context, broker)
    assert again["changes"] == 0
    await context.store.schedulers.beat("a")
    assert (await check_health(context, broker))["changes"] == 1


async def test_each_look_leaves_a_sample(context: Context, broker: Broker) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    await check_health(context, broker)
    await check_health(context, broker)
    samples = [sample async for sample in context.store.health.samples(before, before + timedelta(minutes=1))]
    assert len(samples) == 2 and samples[0]["status"] == "degraded" and samples[0]["memoryBytes"] > 0
    assert [sample async for sample in context.store.health.samples(before, before)] == []


async def test_a_sound_redis_is_healthy(context: Context) -> None:
    part = await look_at_redis(context.store.redis)
    assert part.status == "healthy" and part.reasons == []
    assert part.figures["appendOnlyFile"] is True and part.figures["latencyMs"] >= 0


@pytest.mark.parametrize(
    ("setting", "value", "status", "says"),
    [
        ("maxmemory-policy", "allkeys-lru", "degraded", "drops queued mail"),
        ("appendonly", "no", "degraded", "a restart loses queued mail"),
    ],
)
async def test_a_redis_that_may_lose_mail_is_told_of(
    context: Context, with_settings: redis.Redis, setting: str, value: str, status: str, says: str
) -> None:
    with_settings.config_set(setting, value)
    part = await look_at_redis(context.store.redis)
    assert part.status == status and says in part.reasons[0]


@pytest.mark.parametrize(("share", "status"), [(0.85, "degraded"), (0.97, "unhealthy")])
async def test_memory_near_its_limit_is_told_of(
    context: Context, with_settings: redis.Redis, share: float, status: str
) -> None:
    used = int(with_settings.info("memory")["used_memory"])
    with_settings.config_set("maxmemory", int(used / share))
    assert (await look_at_redis(context.store.redis)).status == status


async def test_a_redis_that_is_gone_is_unhealthy(context: Context) -> None:
    away = redis.asyncio.Redis(port=1, socket_connect_timeout=1)
    part = await look_at_redis(away)
    await away.aclose()
    assert part.status == "unhealthy" and "does not answer" in part.reasons[0]


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (subscription(ends_in_s=86400 * 5), ""),
        (subscription(ends_in_s=3600), "about to end"),
        (subscription(ends_in_s=86400 * 5, health="access_denied"), "could not be kept"),
    ],
)
async def test_subscriptions_are_watched(context: Context, one: Subscription, says: str) -> None:
    await context.store.subscriptions.save(one)
    part = await look_at_graph(context)
    acme = part.figures["organizations"]["acme"]
    assert acme["subscriptions"] == 1 and acme["subscriptionSecondsLeft"] > 0
    assert any(says in reason for reason in acme["reasons"]) if says else len(acme["reasons"]) == 1


async def test_folders_that_cannot_be_read_are_told_of(context: Context) -> None:
    await context.store.redis.hset(context.store.keys.folder(BOX, "inbox"), "error", "access_denied")
    acme = (await look_at_graph(context)).figures["organizations"]["acme"]
    assert acme["foldersFailing"] == 1
    assert "1 folder(s) cannot be read: access_denied" in acme["reasons"]


@pytest.mark.parametrize(("days", "warns"), [(10, True), (90, False)])
async def test_a_certificate_near_its_end_is_told_of(
    redis_url: str, tmp_path: Path, days: int, warns: bool
) -> None:
    ends = datetime.now(UTC) + timedelta(days=days, hours=1)
    issued = trustme.CA().issue_cert("acme.example", not_after=ends)
    file = tmp_path / "acme.pem"
    file.write_bytes(issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes())
    acme = ACME.model_copy(update={"client_secret": None, "certificate": f"file:{file}"})
    async with lent(load_settings(redis_url=redis_url, data_dir=tmp_path, namespace="test"), acme) as context:
        figures = (await look_at_graph(context)).figures["organizations"]["acme"]
    assert figures["certificateDaysLeft"] == days
    assert any("certificate ends" in reason for reason in figures["reasons"]) == warns
