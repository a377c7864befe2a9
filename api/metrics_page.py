"""/metrics: what all processes of this host counted, and the sizes of the queue."""

from __future__ import annotations

import asyncio

import redis
from aiohttp import web

import actors
import actors.actions
import actors.mail
from api.answered import ANSWERED
from api.routes import NOTHING, Answer, Routes
from api.wiring import DIRECTORY, STORE, queue_stats
from workers import logs, metrics
from workers.broker.stats import QueueStats

METRICS = Routes("operation")
_log = logs.get_logger("api")
_MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_REDIS_TIMEOUT_S = 2.0


@METRICS.add(
    "GET",
    "/metrics",
    takes=NOTHING,
    uses_redis=False,
    needs="read",
    whole_service=True,
    answers={200: Answer("Prometheus text format 0.0.4.", media="text/plain")},
)
async def show_metrics(request: web.Request, _: None) -> web.Response:
    """Show the metrics of this host's processes together, and the queue's sizes as they are now."""
    try:
        async with asyncio.timeout(_REDIS_TIMEOUT_S):
            await _refresh(request.app)
    except (redis.RedisError, TimeoutError) as away:
        # What was counted is still true, and an outage is when it is needed most.
        _log.warning("queue_gauges_stale", reason=type(away).__name__)
    request.app[ANSWERED].tell()
    text = await asyncio.to_thread(metrics.exposition)
    return web.Response(body=text, headers={"Content-Type": _MEDIA})


async def _refresh(app: web.Application) -> None:
    _show_queue(await queue_stats(app))
    for organization in app[DIRECTORY].current:
        unfinished = await app[STORE].unfinished.count(organization.id)
        metrics.UNACCOUNTED.labels(organization.id).set(unfinished)


def _show_queue(stats: QueueStats) -> None:
    by_actor = stats.by_actor
    # Also those that have none: what they had once must not stay.
    for actor in {*actors.broker.get_declared_actors(), *by_actor}:
        metrics.DEAD_LETTERS.labels(actor or "unknown").set(by_actor.get(actor, {}).get("dead", 0))
    for priority, sizes in stats.by_priority.items():
        metrics.OLDEST_JOB_AGE.labels(priority).set(stats.oldest_age_s[priority])
        for status, size in sizes.items():
            metrics.JOB_QUEUE_SIZE.labels(priority, status).set(size)
