"""What waits in the queue, looked at without taking it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from workers.broker.encoding import Entry, parse
from workers.broker.keys import PRIORITIES, Keys
from workers.broker.scripts import Client


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in line: its actor, what it is about, and since when it could run (Unix time in ms)."""

    message_id: str
    actor: str
    priority: str
    kwargs: dict[str, Any]
    ready_ms: int


def waiting(client: Client, partitions: Sequence[Keys], *, limit: int) -> list[Waiting]:
    """Up to `limit` messages in the order in which they are taken; raises what redis-py raises."""
    found = [_read(entry) for priority in PRIORITIES for entry in _first(client, partitions, priority, limit)]
    return found[:limit]


def _first(client: Client, partitions: Sequence[Keys], priority: str, limit: int) -> Iterator[Entry]:
    for keys in partitions:
        yield from map(parse, client.lrange(keys[f"ready:{priority}"], 0, limit - 1))


def _read(entry: Entry) -> Waiting:
    try:
        message = orjson.loads(entry.body)
    except orjson.JSONDecodeError:
        message = {}
    return Waiting(
        message_id=str(message.get("message_id", "")),
        actor=entry.actor,
        priority=entry.priority,
        kwargs=message.get("kwargs", {}),
        ready_ms=entry.ready_ms,
    )
