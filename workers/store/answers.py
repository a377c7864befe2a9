"""Answers to requests that their callers named, so that a repeated request gets the same one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys
from workers.store.neighbours import known_to

_KEPT_S = 86400
# Longer than any request takes: with its process dead, the name is free again after this.
_IN_HAND_S = 120


@dataclass(frozen=True)
class Kept:
    """A named request: what it was (a fingerprint), and its answer; status 0 while it is in hand."""

    fingerprint: str
    status: int = 0
    headers: dict[str, str] | None = None
    body: str = ""


class Answers:
    """Answers by caller (its id) and the name that the caller gave the request."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    async def claim(self, caller: str, name: str, fingerprint: str) -> Kept | Literal["claimed"]:
        """Take the request in hand; where its name is taken, what is known of it."""
        key = self._keys.idempotent(caller, name)
        claim = orjson.dumps(asdict(Kept(fingerprint)))
        while not await self._redis.set(key, claim, nx=True, ex=_IN_HAND_S):
            raw: Any = await self._redis.get(key)
            # Gone between the two: the name is free again.
            if raw is not None:
                return Kept(**known_to(Kept, orjson.loads(raw)))
        return "claimed"

    async def keep(self, caller: str, name: str, answer: Kept) -> None:
        """Keep the answer of a claimed request for a day."""
        await self._redis.set(self._keys.idempotent(caller, name), orjson.dumps(asdict(answer)), ex=_KEPT_S)

    async def release(self, caller: str, name: str) -> None:
        """Give a claimed request up: it was refused, and may be sent again."""
        await self._redis.delete(self._keys.idempotent(caller, name))
