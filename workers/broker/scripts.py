"""The Lua scripts, run by hash and counted; a server that does not know one is given its text."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import redis
import redis.asyncio
from redis.exceptions import (
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)

from workers import metrics

# Plain, Sentinel or Cluster: redis-py has no common type for them.
Client: TypeAlias = Any
AsyncClient: TypeAlias = Any

AWAY = (
    redis.ConnectionError,
    redis.TimeoutError,
    ReadOnlyError,
    OutOfMemoryError,
    ClusterDownError,
    TryAgainError,
    RedisClusterException,
    OSError,
)
"""Redis does not take our command now, or did not say: waiting helps."""

_HERE = Path(__file__).parent
_PRELUDE = (_HERE / "prelude.lua").read_text(encoding="utf-8")


class Script:
    """One Lua file behind the common prelude."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = _PRELUDE + (_HERE / f"{name}.lua").read_text(encoding="utf-8")
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: Client, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it; raises what redis-py raises (see AWAY)."""
        started = time.perf_counter()
        status = "error"
        try:
            try:
                reply = client.evalsha(self.sha, len(keys), *keys, *args)
            except NoScriptError:
                reply = client.eval(self.text, len(keys), *keys, *args)
            status = "ok"
        finally:
            self._record(started, status)
        return reply

    async def run_async(self, client: AsyncClient, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it on an asyncio client; raises what redis-py raises (see AWAY)."""
        started = time.perf_counter()
        status = "error"
        try:
            try:
                reply = await client.evalsha(self.sha, len(keys), *keys, *args)
            except NoScriptError:
                reply = await client.eval(self.text, len(keys), *keys, *args)
            status = "ok"
        finally:
            self._record(started, status)
        return reply

    def _record(self, started: float, status: str) -> None:
        metrics.REDIS_OPERATIONS.labels(self.name, status).inc()
        metrics.REDIS_DURATION.labels(self.name).observe(time.perf_counter() - started)


ENQUEUE = Script("enqueue")
EXCHANGE = Script("exchange")
LEASE = Script("lease")
RELEASE = Script("release")
DEAD_LETTERS = Script("dead_letters")
PURGE = Script("purge")
STATS = Script("stats")
FIRE = Script("fire")
