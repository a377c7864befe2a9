"""The messages that wait or are delayed: look at them, drop them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from workers.broker.encoding import parse
from workers.broker.keys import PRIORITIES, Keys
from workers.broker.scripts import PURGE, Client

LINES = (*(f"ready:{priority}" for priority in PRIORITIES), "suspects", "due")
_STEP = 500


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """`ready_ms`: Unix time in ms from which on it may be taken; in the future for a delayed one."""

    line: str
    actor: str
    priority: str
    ready_ms: int
    message_id: str
    kwargs: dict[str, Any]
    options: dict[str, Any]


class Waiting:
    """All partitions' waiting and delayed messages. Every method raises what redis-py raises."""

    def __init__(self, client: Client, partitions: Sequence[Keys]) -> None:
        self._client = client
        self._partitions = partitions

    def peek(self, limit: int = 20) -> list[WaitingMessage]:
        """The messages that are next, in the order of the lines: urgent to low, suspects, delayed."""
        found: list[WaitingMessage] = []
        for line in LINES:
            for keys in self._partitions:
                read = self._client.zrange if line == "due" else self._client.lrange
                found += [_message(line, raw) for raw in read(keys[line], 0, limit - len(found) - 1)]
                if len(found) >= limit:
                    return found
        return found

    def purge(self, *, actor: str | None = None, priority: str | None = None) -> int:
        """Drop what waits or is delayed, of an actor or a priority if given; returns how many.

        In steps of 500, so that Redis serves others meanwhile. What runs is left alone.
        """
        level = "" if priority is None else PRIORITIES.index(priority)
        dropped = 0
        for keys in self._partitions:
            for line in LINES:
                offset, seen = 0, _STEP
                while seen == _STEP:
                    args = (offset, _STEP, actor or "", level)
                    seen, gone = PURGE.run(self._client, (*keys.base, keys[line]), args)
                    offset, dropped = offset + seen - gone, dropped + gone
        return dropped


def _message(line: str, raw: bytes) -> WaitingMessage:
    try:
        entry = parse(raw)
        fields = orjson.loads(entry.body)
    except (ValueError, IndexError):
        # Not put there by us: whoever takes it makes it a dead letter.
        return WaitingMessage(line, "", PRIORITIES[-1], 0, "", {}, {})
    return WaitingMessage(
        line=line,
        actor=entry.actor,
        priority=entry.priority,
        ready_ms=entry.ready_ms,
        message_id=fields["message_id"],
        kwargs=fields["kwargs"],
        options=fields["options"],
    )
