"""Health and metrics, with and without Redis."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from api.wiring import DRAINING
from tests.api_service import SOLO, SUPPORT, Api, serving, soon
from tests.redis_process import RedisProcess
from tests.running_worker import running
from workers import clock
from workers.broker import Broker
from workers.metrics import REGISTRY
from workers.store import NewMessage


async def test_a_service_without_workers_is_degraded_but_takes_requests(api: Api) -> None:
    health = await api.get("/health")
    assert (health.status, health.data["status"]) == (200, "degraded")
    services = health.data["services"]
    assert services["redis"]["status"] == services["queue"]["status"] == "healthy"
    assert services["workers"] == {"status": "unhealthy", "reason": "no worker is running", "alive": 0}
    assert services["scheduler"]["status"] == "unhealthy"
    assert (await api.get("/health/ready")).data == {"status": "ready"}
    assert (await api.get("/health/live")).data == {"status": "alive"}


async def test_a_whole_service_is_healthy(api: Api, redis_client: redis.Redis) -> None:
    broker = Broker()
    broker.connect(redis_client)
    broker.declare_queue("default")
    await api.store.schedulers.join("s1", opening_jobs=())
    with running(broker):
        await soon(lambda: broker.stats().workers)
        await api.store.schedulers.beat("s1")
        health = (await api.get("/health")).data
    assert health["services"]["workers"]["alive"] == health["services"]["scheduler"]["alive"] == 1
    assert health["status"] == "healthy"


@pytest.mark.parametrize(
    ("minutes_ago", "found", "status", "warning"),
    [
        (0, "healthy", "healthy", None),
        (0, "degraded", "degraded", "disk: nearly full"),
        (10, "healthy", "degraded", "health_check last ran 60"),
    ],
)
async def test_what_the_job_found_counts_until_it_is_old(
    api: Api, redis_client: redis.Redis, minutes_ago: int, found: str, status: str, warning: str | None
) -> None:
    broker = Broker()
    broker.connect(redis_client)
    broker.declare_queue("default")
    await api.store.schedulers.join("s1", opening_jobs=())
    checked_at = clock.written(datetime.now(UTC) - timedelta(minutes=minutes_ago))
    warnings = [warning] if warning and found != "healthy" else []
    await api.store.health.keep({"status": found, "checkedAt": checked_at, "warnings": warnings}, {})
    with running(broker):
        await soon(lambda: broker.stats().workers)
        await api.store.schedulers.beat("s1")
        health = (await api.get("/health")).data
    assert health["status"] == status
    assert [text.startswith(warning or "") for text in health["lastCheck"]["warnings"]] == [True] * bool(
        warning
    )


async def test_a_broken_mailbox_is_shown_and_degrades_its_organization_alone(api: Api) -> None:
    await api.store.mailboxes.lease(SUPPORT, "inbox", owner="w", since_ms=0)
    await api.store.mailboxes.release(SUPPORT, "inbox", owner="w", error="access_denied")
    graph = (await api.get("/health")).data["services"]["graph"]
    acme, solo = graph["organizations"]["acme"], graph["organizations"]["solo"]
    assert (graph["status"], acme["status"], solo["status"]) == ("degraded", "degraded", "healthy")
    assert (acme["folders"], acme["failing"], acme["reason"]) == (2, 1, "access_denied")
    assert (await api.get("/health/ready")).status == 200


async def test_a_folder_that_nobody_tells_us_of_is_shown(api: Api) -> None:
    await api.store.mailboxes.note_subscription(SUPPORT, "inbox", error="bad_request")
    acme = (await api.get("/health")).data["services"]["graph"]["organizations"]["acme"]
    assert (acme["status"], acme["failing"], acme["subscriptionsDegraded"]) == ("degraded", 0, 1)


async def test_a_redis_that_may_lose_mail_is_said_so(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path / "redis", arguments=("--maxmemory-policy", "allkeys-lru")).start()
    try:
        async with serving(server.url, tmp_path) as api:
            shown = (await api.get("/health")).data["services"]["redis"]
            assert (shown["status"], "allkeys-lru" in shown["reason"]) == ("degraded", True)
            await api.store.redis.config_set("appendonly", "no")
            shown = (await api.get("/health")).data["services"]["redis"]
            assert (shown["status"], "append-only" in shown["reason"]) == ("degraded", True)
            assert (await api.get("/health/ready")).status == 200
    finally:
        server.stop()


async def test_a_process_that_stops_wants_no_more_requests(api: Api) -> None:
    api.app[DRAINING].set()
    reply = await api.get("/health/ready")
    assert (reply.status, reply.json["code"]) == (503, "draining")
    assert reply.headers["Connection"] == "close"


async def test_without_redis_every_answer_comes_soon_and_says_so(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path / "redis").start()
    try:
        async with serving(server.url, tmp_path) as api:
            assert (await api.get("/health/ready")).status == 200
            server.stop()
            async with asyncio.timeout(15):
                ready, health, job, submitted, metrics = await asyncio.gather(
                    api.get("/health/ready"),
                    api.get("/health"),
                    api.get("/jobs/x"),
                    api.post("/emails/process", {"messageId": "m", "organizationId": "solo"}),
                    api.get("/metrics"),
                )
            assert (ready.status, ready.json["code"]) == (503, "not_ready")
            assert (health.status, health.data["status"]) == (503, "unhealthy")
            assert health.data["services"]["redis"]["status"] == "unhealthy"
            assert (job.status, submitted.status) == (503, 503)
            assert submitted.json["code"] == "queue_unavailable"
            assert all("Retry-After" in reply.headers for reply in (ready, health, job, submitted))
            assert (await api.get("/health/live")).status == 200
            assert metrics.status == 200 and b"econeura_http_requests_total" in metrics.body
            server.start()
            await until_ready(api)
            accepted = await api.post("/emails/process", {"messageId": "m", "organizationId": "solo"})
            assert accepted.status == 202
    finally:
        server.stop()


async def until_ready(api: Api) -> None:
    async with asyncio.timeout(5):
        while (await api.get("/health/ready")).status != 200:  # noqa: ASYNC110 Redis is another process
            await asyncio.sleep(0.01)


async def test_a_redis_that_hangs_is_given_up_in_time_and_taken_up_again(tmp_path: Path) -> None:
    """Graph waits for 10 seconds at most, and counts who is slow."""
    server = RedisProcess(tmp_path / "redis").start()
    try:
        async with serving(server.url, tmp_path) as api:
            body = {"messageId": "m", "organizationId": "solo"}
            assert (await api.post("/emails/process", body)).status == 202
            with server.frozen():
                async with asyncio.timeout(20):
                    replies = await asyncio.gather(*(api.post("/emails/process", body) for _ in range(80)))
            assert {reply.status for reply in replies} == {503}
            async with asyncio.timeout(2):
                await until_ready(api)
                assert (await api.post("/emails/process", body)).status == 202
    finally:
        server.stop()


async def test_metrics_show_the_queue_as_it_is(api: Api) -> None:
    await api.store.ledger.record("solo", SOLO, [NewMessage("m1", {}), NewMessage("m2", {})])
    for number in range(3):
        body = {"messageId": f"m{number}", "organizationId": "solo", "priority": "urgent"}
        await api.post("/emails/process", body)
    text = (await api.get("/metrics")).body.decode()
    assert 'econeura_job_queue_size{status="waiting",type="urgent"} 3.0' in text
    assert 'econeura_unaccounted_messages{organization_id="solo"} 2.0' in text
    assert 'econeura_dead_letters{type="process_email"} 0.0' in text


async def test_every_metric_of_ours_is_there_with_help_and_type(api: Api) -> None:
    text = (await api.get("/metrics")).body.decode()
    names = {metric.name for metric in REGISTRY.collect()}
    assert len(names) > 15
    for name in names:
        assert f"# HELP {name}" in text and f"# TYPE {name}" in text
