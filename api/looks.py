"""Looks at mailboxes: queued when somebody says there may be something new, once however many say so."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

import dramatiq
import redis

import actors
from actors.mail import sync_mailbox
from api.batches import Batches
from workers.broker import Producer
from workers.store import Mailboxes


class Place(NamedTuple):
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
        asker = uuid4().hex
        wanted = await self._mailboxes.want_syncs([place.mailbox for place in distinct], asker=asker)
        due = [place for place, is_wanted in zip(distinct, wanted, strict=True) if is_wanted]
        if not due:
            return
        now_ms = int(time.time() * 1000)
        await self._producer.send(*(_look(place, notified_at_ms=now_ms) for place in due))
        with suppress(redis.RedisError):
            # Only saves others from queueing one, too: what matters is stored.
            await self._mailboxes.syncs_queued([place.mailbox for place in due], asker=asker)


def _look(place: Place, *, notified_at_ms: int) -> dramatiq.Message[Any]:
    return actors.message(
        sync_mailbox,
        organization_id=place.organization_id,
        priority=actors.LOOK_PRIORITY,
        mailbox=place.mailbox,
        notified_at_ms=notified_at_ms,
    )
