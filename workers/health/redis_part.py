"""Redis: does it answer soon, has it room, and does it keep what it is given?"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import redis

from workers.health.part import Part
from workers.redis_clients import AsyncRedis

_SLOW_MS = 50.0
_FULL, _VERY_FULL = 0.8, 0.95
_PINGS = 5


async def look_at_redis(client: AsyncRedis) -> Part:
    """Latency, memory against its limit, persistence and eviction."""
    part = Part()
    try:
        part.figures["latencyMs"] = round(median([await _ping_ms(client) for _ in range(_PINGS)]), 2)
        memory, persistence = await _info(client, "memory"), await _info(client, "persistence")
    except redis.RedisError as away:
        part.fail(f"does not answer: {type(away).__name__}")
        return part
    if part.figures["latencyMs"] > _SLOW_MS:
        part.warn(f"answers in {part.figures['latencyMs']} ms")
    _judge_memory(part, memory)
    _judge_persistence(part, persistence)
    return part


def _judge_memory(part: Part, memory: dict[str, Any]) -> None:
    used, limit = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    part.figures |= {"memoryBytes": used, "memoryLimitBytes": limit or None}
    if limit and used > _VERY_FULL * limit:
        part.fail("memory is at its limit: it will refuse new mail")
    elif limit and used > _FULL * limit:
        part.warn(f"memory is {used / limit:.0%} full")
    policy = memory.get("maxmemory_policy")
    part.figures["evictionPolicy"] = policy
    if policy not in (None, "noeviction"):
        part.warn(f"eviction policy {policy} drops queued mail when memory is short: set noeviction")


def _judge_persistence(part: Part, persistence: dict[str, Any]) -> None:
    if not persistence:
        return
    part.figures["appendOnlyFile"] = bool(int(persistence.get("aof_enabled", 0)))
    if not part.figures["appendOnlyFile"]:
        part.warn("append-only file is off: a restart loses queued mail")
    elif persistence.get("aof_last_write_status", "ok") != "ok":
        part.fail("its append-only file cannot be written: look at its disk")
    elif persistence.get("aof_last_bgrewrite_status", "ok") != "ok":
        part.warn("its append-only file could not be compacted")


async def _ping_ms(client: AsyncRedis) -> float:
    started = time.perf_counter()
    await client.ping()
    return (time.perf_counter() - started) * 1000


async def _info(client: AsyncRedis, section: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await client.info(section)
    except redis.ResponseError:
        # Managed servers may not tell.
        return {}
    # A cluster answers for each node; one of them will do for settings that they share.
    nodes = [value for value in answer.values() if isinstance(value, dict) and "used_memory" in value]
    return nodes[0] if nodes else answer
