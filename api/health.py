"""Health: for load balancers (live, ready), and for people (the state of each part)."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import redis
from aiohttp import web

from api.envelope import answer, refuse
from api.load import LOAD
from api.refusals import Refusal, unavailable
from api.routes import NOTHING, Answer, Routes
from api.schemas.health import (
    GraphHealth,
    Health,
    LastCheck,
    Probe,
    ProcessesHealth,
    QueueHealth,
    RedisHealth,
    Services,
    Status,
)
from api.wiring import DRAINING, GRAPH_WATCH, STORE, queue_stats
from workers import __version__, logs
from workers.redis_clients import AsyncRedis
from workers.store.schedulers import ALIVE_S

HEALTH = Routes("operation")
_AWAY = (redis.RedisError, TimeoutError)
_TIMEOUT_S = 2.0
# A message that waited this long says that the workers do not keep up, or are not there.
_OLD_S = 300.0
_OLD_CHECK_S = 180.0


@HEALTH.add(
    "GET",
    "/health/live",
    takes=NOTHING,
    uses_redis=False,
    needs="nothing",
    answers={200: Answer("The process answers.", Probe)},
)
async def live(_request: web.Request, _: None) -> web.Response:
    """Say that this process is alive."""
    return answer({"status": "alive"})


@HEALTH.add(
    "GET",
    "/health/ready",
    takes=NOTHING,
    uses_redis=False,
    needs="nothing",
    answers={200: Answer("Send requests here.", Probe)},
)
async def ready(request: web.Request, _: None) -> web.Response:
    """Say whether to send requests here: this process is not stopping, and reaches Redis."""
    if request.app[DRAINING].is_set():
        raise unavailable("draining", "this process is stopping")
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await request.app[STORE].redis.ping()
    except _AWAY:
        raise _not_ready() from None
    if request.app[LOAD].is_away:
        # It has just come back: a request would still be refused.
        raise _not_ready()
    return answer({"status": "ready"})


@HEALTH.add(
    "GET",
    "/health",
    takes=NOTHING,
    uses_redis=False,
    needs="read",
    whole_service=True,
    answers={200: Answer("It works; degraded: but not all of it.", Health)},
)
async def health(request: web.Request, _: None) -> web.Response:
    """Show the state of Redis, queue, workers, scheduler and Graph; 503 where nothing can be done."""
    app = request.app
    services, last_check = await asyncio.gather(_services(app), _last_check(app))
    status = _overall(services)
    if status == "healthy" and last_check is not None and last_check.status != "healthy":
        status = "degraded"
    shown = Health(status=status, version=__version__, services=services, last_check=last_check)
    if status != "unhealthy":
        return answer(shown)
    away = unavailable("unhealthy", "redis cannot be reached")
    return refuse(away, logs.correlation_id(), data=shown.model_dump(mode="json", by_alias=True))


def _not_ready() -> Refusal:
    return unavailable("not_ready", "redis cannot be reached")


async def _services(app: web.Application) -> Services:
    redis_health, (queue, workers), scheduler, graph = await asyncio.gather(
        _redis(app), _queue_and_workers(app), _scheduler(app), _graph(app)
    )
    return Services(redis=redis_health, queue=queue, workers=workers, scheduler=scheduler, graph=graph)


async def _last_check(app: web.Application) -> LastCheck | None:
    """The job's findings; one that has not run for minutes is a finding itself."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            kept = await app[STORE].health.read()
    except _AWAY:
        return None
    if kept is None:
        return None
    found = LastCheck(status=kept["status"], checked_at=kept["checkedAt"], warnings=kept["warnings"])
    age_s = (datetime.now(UTC) - datetime.fromisoformat(found.checked_at)).total_seconds()
    if age_s > _OLD_CHECK_S:
        text = f"health_check last ran {age_s:.0f} s ago"
        return found.model_copy(update={"status": "degraded", "warnings": [text, *found.warnings]})
    return found


def _overall(services: Services) -> Status:
    if services.redis.status == "unhealthy":
        return "unhealthy"
    parts = (services.queue, services.workers, services.scheduler, services.graph)
    return "healthy" if all(part.status == "healthy" for part in parts) else "degraded"


async def _redis(app: web.Application) -> RedisHealth:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await app[STORE].redis.ping()
            latency_ms = round((time.perf_counter() - started) * 1000, 2)
            risk = await _risk_of_loss(app[STORE].redis)
    except _AWAY as away:
        return RedisHealth(status="unhealthy", reason=type(away).__name__)
    return RedisHealth(status="degraded" if risk else "healthy", reason=risk, latency_ms=latency_ms)


async def _risk_of_loss(client: AsyncRedis) -> str | None:
    """Why this Redis might lose what it confirmed, as far as it tells."""
    try:
        facts = {**await client.info("persistence"), **await client.info("memory")}
    except redis.ResponseError:
        # A server that hides its settings from us is its operator's business.
        return None
    if facts.get("aof_enabled") == 0:
        return "no append-only file: a restart loses mail in hand"
    if facts.get("aof_last_write_status", "ok") != "ok":
        return "the append-only file cannot be written"
    policy = facts.get("maxmemory_policy", "noeviction")
    return None if policy == "noeviction" else f"maxmemory-policy {policy} drops mail when memory is short"


async def _queue_and_workers(app: web.Application) -> tuple[QueueHealth, ProcessesHealth]:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            stats = await queue_stats(app)
    except _AWAY as away:
        reason = type(away).__name__
        return QueueHealth(status="unhealthy", reason=reason), ProcessesHealth(
            status="unhealthy", reason=reason
        )
    oldest_s = max(stats.oldest_age_s.values())
    queue = QueueHealth(
        status="degraded" if oldest_s > _OLD_S else "healthy",
        reason="messages wait for too long" if oldest_s > _OLD_S else None,
        **stats.by_status,
        oldest_age_seconds=oldest_s,
    )
    return queue, _processes(stats.workers, "no worker is running")


async def _scheduler(app: web.Application) -> ProcessesHealth:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            silent_s = await app[STORE].schedulers.silent_s()
    except _AWAY as away:
        return ProcessesHealth(status="unhealthy", reason=type(away).__name__)
    return _processes(sum(silent < ALIVE_S for silent in silent_s.values()), "no scheduler is running")


async def _graph(app: web.Application) -> GraphHealth:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await app[GRAPH_WATCH].health()
    except _AWAY as away:
        return GraphHealth(status="unhealthy", reason=type(away).__name__)


def _processes(alive: int, none_text: str) -> ProcessesHealth:
    if alive:
        return ProcessesHealth(status="healthy", alive=alive)
    return ProcessesHealth(status="unhealthy", reason=none_text, alive=0)
