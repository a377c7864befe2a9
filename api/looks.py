"""Looks at mailboxes: queued when somebody says there may be something new, once however many say so."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

import dramatiq
import redis

import actors
from actors.mail import sync_mailbox
from api.batches import Batches
from workers.broker import Producer
from workers.store import Mailboxes


@dataclass(frozen=True)
class Place:
    """A mailbox of an organization."""

    organization_id: str
    mailbox: str


class Looks:
    """Queues delta syncs; one that is queued and has not started stands for all that ask meanwhile."""

    def __init__(self, mailboxes: Mailboxes, producer: Producer) -> None:
        self._mailboxes = mailboxes
        self._producer = producer
        self._batches: Batches[Place] = Batches(self._queue)

    async def want(self, *places: Place) -> None:
        """Have these looked at; returns once Redis has it, else raises QueueUnavailable or RedisError."""
        await self._batches.add(*places)

    async def _queue(self, places: list[Place]) -> None:
        distinct = list(dict.fromkeys(places))
        wanted = await self._mailboxes.want_syncs([place.mailbox for place in distinct])
        due = [place for place, is_wanted in zip(distinct, wanted, strict=True) if is_wanted]
        if not due:
            return
        now_ms = int(time.time() * 1000)
        async with AsyncExitStack() as undo:
            # What is not queued after all must not be taken for queued by the next one that asks.
            undo.push_async_callback(self._forget, due)
            await self._producer.send(*(_look(place, notified_at_ms=now_ms) for place in due))
            undo.pop_all()

    async def _forget(self, places: list[Place]) -> None:
        with suppress(redis.RedisError):
            for place in places:
                await self._mailboxes.sync_started(place.mailbox)


def _look(place: Place, *, notified_at_ms: int) -> dramatiq.Message[Any]:
    return actors.message(
        sync_mailbox,
        organization_id=place.organization_id,
        mailbox=place.mailbox,
        notified_at_ms=notified_at_ms,
    )
