"""What must happen once: each effect is reserved for one message before anything is done."""

from __future__ import annotations

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys

_DAY_MS = 86_400_000


class Effects:
    """Reservations of effects, kept as long as the ledger's records."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, retention_days: int) -> None:
        self._redis = client
        self._keys = keys
        self._kept_ms = retention_days * _DAY_MS

    async def reserve(self, fingerprint: str, message_id: str) -> bool:
        """Reserve an effect that must happen once; True if it is (or already was) this message's."""
        key = self._keys.effect(fingerprint)
        if await self._redis.set(key, message_id, nx=True, px=self._kept_ms):
            return True
        holder = await self._redis.get(key)
        return holder is None or holder.decode() == message_id

    async def reserve_answer(
        self, organization_id: str, rule: str, correspondent: str, message_id: str, *, hours: int
    ) -> bool:
        """Whether this message may be the one that this correspondent gets an answer for in these hours."""
        key = self._keys.answered(organization_id, rule, correspondent)
        if await self._redis.set(key, message_id, nx=True, ex=hours * 3600):
            return True
        holder = await self._redis.get(key)
        return holder is None or holder.decode() == message_id
