"""Our side of Graph's subscriptions: whose they are, their secret, and when they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys
from workers.store.neighbours import known_to


@dataclass(frozen=True)
class Subscription:
    """A Graph subscription of ours. `expires_at` is ISO 8601 as Graph returned it."""

    id: str
    organization_id: str
    mailbox: str
    folder: str
    client_state: str
    expires_at: str
    created_at: str
    health: str = "ok"
    content_key_id: str = ""
    """The key that it was made for, "" for one that was to carry no content."""
    has_content: bool = False
    """Whether its notifications carry content: Graph may have refused that."""


class Subscriptions:
    """All subscriptions, by Graph's id."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.subscriptions()

    async def save(self, subscription: Subscription) -> None:
        await self._redis.hset(self._key, subscription.id, orjson.dumps(asdict(subscription)))

    async def get(self, subscription_id: str) -> Subscription | None:
        raw = await self._redis.hget(self._key, subscription_id)
        return _read(raw) if raw else None

    async def find(self, subscription_ids: Sequence[str]) -> dict[str, Subscription]:
        """Those of the ids that are known, in one step."""
        found = await self._redis.hmget(self._key, list(subscription_ids)) if subscription_ids else []
        return {
            subscription_id: _read(raw)
            for subscription_id, raw in zip(subscription_ids, found, strict=True)
            if raw
        }

    async def all(self) -> list[Subscription]:
        return [_read(raw) for raw in await self._redis.hvals(self._key)]

    async def delete(self, subscription_id: str) -> None:
        await self._redis.hdel(self._key, subscription_id)


def _read(raw: bytes) -> Subscription:
    return Subscription(**known_to(Subscription, orjson.loads(raw)))
