"""The Lua scripts, run by hash and counted; a server that does not know one is given its text."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import redis
import redis.asyncio
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
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
    MasterDownError,
    TryAgainError,
    RedisClusterException,
    OSError,
)
"""Redis does not take our command now (`Refused` is among them), or did not say: waiting helps."""

TROUBLE = (redis.RedisError, RedisClusterException, OSError)
"""All that a call may raise: for threads that must outlive even a refused permission."""

_REPLICAS_WITHIN_MS = 1000
_HERE = Path(__file__).parent


# Also what redis-py has no class for, and what Redis 6.2 wraps: "Error running script ...: -OOM command ...".
_WAITING_HELPS = re.compile(
    r"(^|-)(OOM|READONLY|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|LOADING|BUSY|NOAUTH) "
)


class Refused(redis.ConnectionError):
    """The server is there but cannot do it now: it is full, a replica, loading, short of replicas."""


class NotReplicated(Refused):
    """Applied, but not by as many replicas as were asked for: a failover now could lose it."""


class Script:
    """The Lua file of this name, and what goes on where it ends, behind the common prelude."""

    def __init__(self, name: str, *goes_on: str) -> None:
        self.name = name
        self.text = "".join(_read(part) for part in ("prelude", name, *goes_on))
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def command(self, keys: Sequence[str], args: Sequence[Any]) -> tuple[Any, ...]:
        """As a Redis command, for who sends it with others; an unknown script is then for them to see to."""
        return ("EVALSHA", self.sha, len(keys), *keys, *args)

    def run(self, client: Client, keys: Sequence[str], args: Sequence[Any], *, replicas: int = 0) -> Any:
        """Run it, and wait until so many replicas have it; raises what redis-py raises (see AWAY)."""
        started = time.perf_counter()
        status = "error"
        try:
            call = (len(keys), *keys, *args)
            try:
                reply = _send(client, ("EVALSHA", self.sha, *call), replicas)
            except NoScriptError:
                # It stays known: and only the node that is asked needs to be there.
                reply = _send(client, ("EVAL", self.text, *call), replicas)
            status = "ok"
        except redis.ResponseError as error:
            raise _sorted(error) from error
        finally:
            metrics.note_redis(self.name, status, time.perf_counter() - started)
        return reply

    async def run_async(
        self, client: AsyncClient, keys: Sequence[str], args: Sequence[Any], *, replicas: int = 0
    ) -> Any:
        """The same on an asyncio client."""
        started = time.perf_counter()
        status = "error"
        try:
            call = (len(keys), *keys, *args)
            try:
                reply = await _send_async(client, ("EVALSHA", self.sha, *call), replicas)
            except NoScriptError:
                reply = await _send_async(client, ("EVAL", self.text, *call), replicas)
            status = "ok"
        except redis.ResponseError as error:
            raise _sorted(error) from error
        finally:
            metrics.note_redis(self.name, status, time.perf_counter() - started)
        return reply


def _read(name: str) -> str:
    return (_HERE / f"{name}.lua").read_text(encoding="utf-8")


def _sorted(error: redis.ResponseError) -> redis.RedisError:
    return Refused(str(error)) if _WAITING_HELPS.search(str(error)) else error


def _send(client: Client, call: tuple[Any, ...], replicas: int) -> Any:
    if not replicas:
        return client.execute_command(*call)
    # WAIT speaks of the writes of its own connection: both go over the same one.
    pipeline = client.pipeline(transaction=False)
    pipeline.execute_command(*call)
    pipeline.execute_command("WAIT", replicas, _REPLICAS_WITHIN_MS)
    return _checked(replicas, *pipeline.execute())


async def _send_async(client: AsyncClient, call: tuple[Any, ...], replicas: int) -> Any:
    if not replicas:
        return await client.execute_command(*call)
    pipeline = client.pipeline(transaction=False)
    pipeline.execute_command(*call)
    pipeline.execute_command("WAIT", replicas, _REPLICAS_WITHIN_MS)
    return _checked(replicas, *await pipeline.execute())


def _checked(replicas: int, reply: Any, confirmed: int) -> Any:
    if confirmed < replicas:
        raise NotReplicated(f"{confirmed} of {replicas} replicas confirmed")
    return reply


ENQUEUE = Script("enqueue")
EXCHANGE = Script("exchange", "exchange_taking")
LEASE = Script("lease")
RELEASE = Script("release")
DEAD_LETTERS = Script("dead_letters")
PURGE = Script("purge")
FLUSH = Script("flush")
STATS = Script("stats")
FIRE = Script("fire")
