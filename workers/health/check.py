"""The look at everything: kept for /health, sampled for the daily report, its changes told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from workers import clock, logs, metrics
from workers.broker import Broker
from workers.health.disk_part import look_at_disk
from workers.health.graph_part import look_at_graph
from workers.health.part import Part, worst
from workers.health.queue_part import look_at_queue
from workers.health.redis_part import look_at_redis
from workers.health.schedule_part import look_at_schedule, look_at_schedulers
from workers.pipeline.context import Context

_log = logs.get_logger("health")


async def check_health(context: Context, broker: Broker, *, asking: str = "health_check") -> dict[str, Any]:
    """Look at every part, keep the result and tell what changed; returns the figures of the run."""
    now = datetime.now(UTC)
    stats = await asyncio.to_thread(broker.stats)
    standings = await context.store.schedule.standings()
    parts = {
        "redis": await look_at_redis(context.store.redis),
        "queue": look_at_queue(stats),
        "schedulers": look_at_schedulers(await context.store.schedulers.silent_s()),
        "schedule": look_at_schedule(standings.values(), now, asking=asking),
        "graph": await look_at_graph(context),
        "disk": await asyncio.to_thread(look_at_disk, context.settings.data_dir),
    }
    result = _result(parts, now)
    former = await context.store.health.read()
    await context.store.health.keep(result, _sample(parts, result["status"], now))
    changed = _tell_changes(parts, former)
    return {"status": result["status"], "warnings": len(result["warnings"]), "changes": changed}


def _result(parts: Mapping[str, Part], now: datetime) -> dict[str, Any]:
    # Without Redis nothing works; without any other part something still does.
    status = worst(
        "degraded" if part.status == "unhealthy" and name != "redis" else part.status
        for name, part in parts.items()
    )
    return {
        "status": status,
        "checkedAt": clock.written(now),
        "warnings": [f"{name}: {reason}" for name, part in parts.items() for reason in part.reasons],
        "services": {name: part.to_json() for name, part in parts.items()},
    }


def _sample(parts: Mapping[str, Part], status: str, now: datetime) -> dict[str, Any]:
    """What the daily report draws: one point a minute."""
    organizations = parts["graph"].figures["organizations"].values()
    return {
        "at": now.isoformat(timespec="seconds"),
        "status": status,
        "latencyMs": parts["redis"].figures.get("latencyMs"),
        "memoryBytes": parts["redis"].figures.get("memoryBytes"),
        "waiting": parts["queue"].figures["waiting"],
        "oldestAgeSeconds": parts["queue"].figures["oldestAgeSeconds"],
        "dead": parts["queue"].figures["dead"],
        "workers": parts["queue"].figures["workers"],
        "schedulers": parts["schedulers"].figures["alive"],
        "unfinished": sum(one["unfinished"] for one in organizations),
    }


def _tell_changes(parts: Mapping[str, Part], former: Mapping[str, Any] | None) -> int:
    """Log and count each part whose status is not what it was; returns how many."""
    changed = 0
    known = former["services"] if former else {}
    for name, part in parts.items():
        before = known.get(name, {}).get("status", "healthy")
        if before == part.status:
            continue
        changed += 1
        severity = {"healthy": "info", "degraded": "warning", "unhealthy": "error"}[part.status]
        metrics.ERRORS.labels(f"health_{name}", "health", severity).inc()
        tell = _log.info if part.status == "healthy" else _log.warning
        tell("health_changed", part=name, before=before, now=part.status, reasons=part.reasons)
    return changed
