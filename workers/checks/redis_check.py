"""Whether Redis is reachable, and keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import redis

from workers import redis_clients
from workers.checks.finding import Finding, note, ok, problem
from workers.settings import Settings
from workers.store import Keys
from workers.store.schema import UnreadableSchema, readable

_SUBJECT = "Redis"
_OLDEST = (6, 2)


def check_redis(settings: Settings) -> Iterator[Finding]:
    """Findings on version, persistence and eviction; raises SettingsError for a URL that it cannot read."""
    where = _where(settings)
    try:
        with redis_clients.connect_sync(settings) as client:
            server = _info(client, "server")
            persistence = _info(client, "persistence")
            memory = _info(client, "memory")
            stored = readable(client, Keys(settings.namespace, settings.partitions))
    except redis.AuthenticationError as refused:
        yield problem(_SUBJECT, f"{where} refuses the credentials: {refused}; correct them in REDIS_URL")
        return
    except UnreadableSchema as unreadable:
        yield problem(_SUBJECT, str(unreadable))
        return
    except redis.RedisError as away:
        yield problem(_SUBJECT, f"{where} does not answer: {away}; start it or correct REDIS_URL")
        return
    version = str(server.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        yield problem(_SUBJECT, f"{where} is version {version}: 6.2 or newer is needed")
    else:
        yield ok(_SUBJECT, f"{where}, version {version}, data of schema {stored}")
    yield _persistence(persistence)
    yield _eviction(memory)


def _persistence(info: dict[str, Any]) -> Finding:
    if int(info.get("aof_enabled", 0)):
        if info.get("aof_last_write_status", "ok") != "ok":
            return problem("Redis persistence", "its append-only file cannot be written: look at its disk")
        return ok("Redis persistence", "append-only file is on")
    return problem(
        "Redis persistence",
        "append-only file is off, a restart loses queued mail: set 'appendonly yes', 'appendfsync everysec'",
    )


def _eviction(info: dict[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy")
    if policy == "noeviction":
        return ok("Redis eviction", "noeviction")
    if policy is None:
        return note("Redis eviction", "the server does not tell its policy: make sure it is noeviction")
    return problem(
        "Redis eviction",
        f"policy {policy} drops queued mail when memory is short: set 'maxmemory-policy noeviction'",
    )


def _info(client: redis.Redis, section: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.info(section)
    # A cluster answers for each node; one that does not fit is what a person has to hear of.
    values = [value for value in answer.values() if isinstance(value, dict)]
    return values[0] if values else answer


def _where(settings: Settings) -> str:
    """The address without its password."""
    url = urlsplit(redis_clients.address(settings))
    return url.path if url.scheme == "unix" else url.netloc.rpartition("@")[2]
