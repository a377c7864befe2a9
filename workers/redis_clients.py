"""Redis clients for the processes: plain, TLS, unix socket, Sentinel or Cluster, by the form of the URL.

`redis+sentinel://h1:26379,h2:26379/SERVICE` asks the sentinels for the master; `redis+cluster://h1:7000,h2`
spreads over a cluster. User and password before the hosts are for the servers; sentinels are asked without.
Every command is counted and timed.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import hiredis
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from workers import metrics
from workers.errors import SettingsError
from workers.settings import Settings

# A reply depends on command, protocol and decoding; redis-py annotates the union of them all.
AsyncRedis: TypeAlias = Any
_BACKOFF = {"base": 0.02, "cap": 0.5}
_TRIES = 3


def connect(settings: Settings, *, max_connections: int = 64, timeout_s: float | None = None) -> AsyncRedis:
    """An asyncio client with bounded waits; raises SettingsError for a URL that it cannot read."""
    url = address(settings)
    options: dict[str, Any] = {
        "socket_timeout": timeout_s or settings.redis_timeout_s,
        "socket_connect_timeout": settings.redis_timeout_s,
        "health_check_interval": 30,
        "retry": AsyncRetry(ExponentialBackoff(**_BACKOFF), _TRIES),
        **_credentials(url),
    }
    scheme, hosts, rest = _parts(url)
    if scheme == "redis+sentinel":
        sentinel = redis.asyncio.Sentinel(hosts, **options)  # type: ignore[no-untyped-call]
        client: Any = sentinel.master_for(rest or "mymaster", **options)
    elif scheme == "redis+cluster":
        nodes = [redis.asyncio.cluster.ClusterNode(host, port) for host, port in hosts]
        client = redis.asyncio.RedisCluster(startup_nodes=nodes, **options)
    else:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=max_connections, timeout=settings.redis_timeout_s, **options
        )
        client = redis.asyncio.Redis.from_pool(pool)
        _pack_quickly(pool)
    _meter_async(client)
    return client


def connect_sync(settings: Settings, *, timeout_s: float | None = None) -> redis.Redis:
    """A blocking client with bounded waits, for threads; raises SettingsError for a URL it cannot read."""
    url = address(settings)
    options: dict[str, Any] = {
        "socket_timeout": timeout_s or settings.redis_timeout_s,
        "socket_connect_timeout": settings.redis_timeout_s,
        "health_check_interval": 30,
        "retry": Retry(ExponentialBackoff(**_BACKOFF), _TRIES),
        **_credentials(url),
    }
    scheme, hosts, rest = _parts(url)
    client: redis.Redis
    if scheme == "redis+sentinel":
        sentinel = redis.Sentinel(hosts, **options)  # type: ignore[no-untyped-call]
        client = sentinel.master_for(rest or "mymaster", **options)  # type: ignore[no-untyped-call]
    elif scheme == "redis+cluster":
        node = redis.cluster.ClusterNode
        nodes = [node(host, port) for host, port in hosts]  # type: ignore[no-untyped-call]
        client = redis.RedisCluster(startup_nodes=nodes, **options)  # type: ignore[assignment]
    else:
        client = redis.Redis.from_url(url, **options)
    _meter_sync(client)
    return client


def address(settings: Settings) -> str:
    """The Redis URL in force; raises SettingsError where none is set (the CLI starts a private one first)."""
    if settings.redis_url:
        return settings.redis_url
    if settings.redis_host:
        return f"redis://{settings.redis_host}:{settings.redis_port}/0"
    raise SettingsError("REDIS_URL: not set, and no private Redis was started")


def _parts(url: str) -> tuple[str, list[tuple[str, int]], str]:
    scheme = url.partition("://")[0]
    if scheme in ("redis", "rediss", "unix"):
        return scheme, [], ""
    default_port = {"redis+sentinel": 26379, "redis+cluster": 6379}.get(scheme)
    if default_port is None:
        raise SettingsError(
            f"REDIS_URL: unknown form {scheme}://; use redis://, rediss://, unix://, "
            "redis+sentinel:// or redis+cluster://"
        )
    split = urlsplit(url)
    hosts = []
    for part in split.netloc.rpartition("@")[2].split(","):
        host, _, port = part.partition(":")
        hosts.append((host, int(port) if port.isdigit() else default_port))
    return scheme, hosts, split.path.strip("/")


def _credentials(url: str) -> dict[str, str]:
    """User and password of a URL with several hosts; of the others redis-py takes them itself."""
    split = urlsplit(url)
    if split.scheme not in ("redis+sentinel", "redis+cluster"):
        return {}
    given = {"username": split.username, "password": split.password}
    return {name: unquote(value) for name, value in given.items() if value}


class _PackedByHiredis:
    """A connection whose commands are put into bytes by hiredis; redis-py's asyncio ones do it in Python."""

    def pack_command(self, *arguments: Any) -> list[bytes]:
        name = arguments[0]
        if isinstance(name, str) and " " in name:
            # redis-py has commands of two words, such as "SCRIPT LOAD".
            arguments = (*name.split(), *arguments[1:])
        try:
            return [hiredis.pack_command(arguments)]
        except TypeError as odd:
            raise redis.DataError(str(odd)) from odd


def _pack_quickly(pool: redis.asyncio.ConnectionPool) -> None:
    kind = pool.connection_class
    pool.connection_class = type(kind.__name__, (_PackedByHiredis, kind), {})


def _operation(arguments: tuple[Any, ...]) -> str:
    return str(arguments[0]).lower().partition(" ")[0] if arguments else "none"


def _meter_async(client: Any) -> None:
    inner: Callable[..., Awaitable[Any]] = client.execute_command

    async def execute_command(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            reply = await inner(*arguments, **options)
        except redis.RedisError:
            metrics.note_redis(_operation(arguments), "error", time.perf_counter() - started)
            raise
        metrics.note_redis(_operation(arguments), "ok", time.perf_counter() - started)
        return reply

    client.execute_command = execute_command


def _meter_sync(client: Any) -> None:
    inner: Callable[..., Any] = client.execute_command

    def execute_command(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            reply = inner(*arguments, **options)
        except redis.RedisError:
            metrics.note_redis(_operation(arguments), "error", time.perf_counter() - started)
            raise
        metrics.note_redis(_operation(arguments), "ok", time.perf_counter() - started)
        return reply

    client.execute_command = execute_command
