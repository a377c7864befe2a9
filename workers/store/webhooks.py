"""What webhooks are to be told and were told: events noted and not yet queued, and a log of deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from workers.organizations import EventType
from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys
from workers.store.neighbours import known_to

_HERE = Path(__file__).parent
KEPT = 500
"""Deliveries in the log of a webhook."""
Status = Literal["delivered", "retrying", "failed"]


class Noted(NamedTuple):
    """An event (JSON) to be noted in the same step as what it tells of."""

    id: str
    event: bytes


def flat_events(events: Sequence[Noted]) -> list[Any]:
    """The events as the scripts take them: how many, then id and JSON of each."""
    return [len(events), *(part for event in events for part in event)]


@dataclass(frozen=True)
class Delivery:
    """How telling a webhook of an event went so far. `status_code` 0: no answer; times are ISO 8601 UTC."""

    id: str
    type: EventType
    at: str
    status: Status
    attempts: int
    status_code: int
    error: str
    duration_ms: int
    tried_at: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Webhooks:
    """The events of all organizations, and the deliveries of each webhook."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, retention_s: int) -> None:
        self._redis = client
        self._keys = keys
        self._retention_s = retention_s
        self._note = client.register_script((_HERE / "note_delivery.lua").read_text(encoding="utf-8"))

    async def noted(self, event_ids: Sequence[str]) -> list[bytes]:
        """Those of the events that were noted and wait to be queued."""
        found = await self._redis.hmget(self._keys.webhook_events(), list(event_ids))
        return [event for event in found if event is not None]

    async def all_noted(self, *, limit: int) -> list[bytes]:
        """Events that wait to be queued; more than a few of them were left behind."""
        _, found = await self._redis.hscan(self._keys.webhook_events(), count=limit)
        return list(found.values())

    async def queued(self, event_ids: Sequence[str]) -> None:
        """The queue has these events now."""
        await self._redis.hdel(self._keys.webhook_events(), *event_ids)

    async def count_noted(self) -> int:
        return int(await self._redis.hlen(self._keys.webhook_events()))

    async def log(self, organization_id: str, webhook: str, delivery: Delivery) -> None:
        """Note how a delivery stands; the oldest beyond KEPT are forgotten."""
        await self._note(
            keys=[
                self._keys.webhook_log(organization_id, webhook),
                self._keys.webhook_order(organization_id, webhook),
            ],
            args=[delivery.id, orjson.dumps(delivery), KEPT, self._retention_s],
        )

    async def delivery(self, organization_id: str, webhook: str, event_id: str) -> Delivery | None:
        """How telling a webhook of an event stands, or None where the log does not know it."""
        raw = await self._redis.hget(self._keys.webhook_log(organization_id, webhook), event_id)
        return None if raw is None else _read(raw)

    async def deliveries(self, organization_id: str, webhook: str, *, limit: int) -> list[Delivery]:
        """The log of a webhook, what was tried last first."""
        order = self._keys.webhook_order(organization_id, webhook)
        ids = await self._redis.zrevrange(order, 0, limit - 1)
        if not ids:
            return []
        found = await self._redis.hmget(self._keys.webhook_log(organization_id, webhook), ids)
        return [_read(raw) for raw in found if raw is not None]

    async def forget(
        self, organization_id: str, webhook: str, *, before: datetime, dry_run: bool
    ) -> tuple[int, int]:
        """Remove deliveries last tried before a moment (or only count them); returns how many, and bytes."""
        log = self._keys.webhook_log(organization_id, webhook)
        order = self._keys.webhook_order(organization_id, webhook)
        ids = await self._redis.zrangebyscore(order, "-inf", before.timestamp() * 1000)
        if not ids:
            return 0, 0
        size = sum(len(raw) for raw in await self._redis.hmget(log, ids) if raw is not None)
        if not dry_run:
            async with self._redis.pipeline(transaction=True) as step:
                step.hdel(log, *ids)
                step.zrem(order, *ids)
                await step.execute()
        return len(ids), size


def _read(raw: bytes) -> Delivery:
    return Delivery(**known_to(Delivery, orjson.loads(raw)))
