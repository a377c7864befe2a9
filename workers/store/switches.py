"""Organizations and rules that a person (or a rule's brake) paused: recorded, but not acted on."""

from __future__ import annotations

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys

_COUNTS_KEPT_S = 2 * 3600


class Switches:
    """The set of what is paused."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._key = keys.paused()

    async def pause(self, organization_id: str, rule: str | None = None) -> None:
        await self._redis.sadd(self._key, _name(organization_id, rule))

    async def resume(self, organization_id: str, rule: str | None = None) -> None:
        await self._redis.srem(self._key, _name(organization_id, rule))

    async def paused(self) -> frozenset[str]:
        """Names of all that is paused: "organization" or "organization/rule"."""
        return frozenset(name.decode() for name in await self._redis.smembers(self._key))

    async def count_applied(self, organization_id: str, rule: str, *, hour: str) -> tuple[int, int]:
        """Note that a rule applied to a message; (messages of the rule, of all rules) in this hour."""
        key = self._keys.applied(organization_id, hour)
        async with self._redis.pipeline(transaction=True) as step:
            step.hincrby(key, rule, 1)
            step.hincrby(key, "", 1)
            step.expire(key, _COUNTS_KEPT_S)
            by_rule, by_all, _ = await step.execute()
        return int(by_rule), int(by_all)


def _name(organization_id: str, rule: str | None) -> str:
    return organization_id if rule is None else f"{organization_id}/{rule}"
