"""Organizations and rules that a person (or a rule's brake) paused: recorded, but not acted on."""

from __future__ import annotations

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys


class Switches:
    """The set of what is paused."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.paused()

    async def pause(self, organization_id: str, rule: str | None = None) -> None:
        await self._redis.sadd(self._key, _name(organization_id, rule))

    async def resume(self, organization_id: str, rule: str | None = None) -> None:
        await self._redis.srem(self._key, _name(organization_id, rule))

    async def paused(self) -> frozenset[str]:
        """Names of all that is paused: "organization" or "organization/rule"."""
        return frozenset(name.decode() for name in await self._redis.smembers(self._key))


def _name(organization_id: str, rule: str | None) -> str:
    return organization_id if rule is None else f"{organization_id}/{rule}"
