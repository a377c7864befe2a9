"""The key pairs to which Graph encrypts what rich notifications carry: one for each period, old ones kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys


@dataclass(frozen=True)
class ContentKeyPair:
    """A certificate (base64 DER), our name for it, and its private key (PEM)."""

    id: str
    certificate: str
    private_pem: str


class ContentKeys:
    """Key pairs by the number of the period in which they are the newest."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.content_keys()

    async def of_period(self, period: int) -> ContentKeyPair | None:
        raw = await self._redis.hget(self._key, str(period))
        return _read(raw) if raw else None

    async def add(self, period: int, pair: ContentKeyPair) -> ContentKeyPair:
        """Store the pair of a period; returns the one that holds, where another process was quicker."""
        await self._redis.hsetnx(self._key, str(period), orjson.dumps(asdict(pair)))
        return await self.of_period(period) or pair

    async def forget_before(self, period: int) -> None:
        """Drop the pairs of former periods."""
        old = [name for name in await self._redis.hkeys(self._key) if int(name) < period]
        if old:
            await self._redis.hdel(self._key, *old)

    async def private_pems(self) -> dict[str, str]:
        """All private keys, by the id of their certificate."""
        pairs = [_read(raw) for raw in await self._redis.hvals(self._key)]
        return {pair.id: pair.private_pem for pair in pairs}


def _read(raw: bytes) -> ContentKeyPair:
    return ContentKeyPair(**orjson.loads(raw))
