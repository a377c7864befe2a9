"""The last look at the whole service, and a sample of each look for the reports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys

# Two days and some hours of a look every minute: the report of a day is written on the next, in any timezone.
_SAMPLES_KEPT = 3500
_PAGE = 500


class HealthRecords:
    """Results of the health check. `checkedAt` tells how old one is: nobody may be there to renew it."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    async def keep(self, result: Mapping[str, Any], sample: Mapping[str, Any]) -> None:
        """Keep a result as the last one, and its sample."""
        async with self._redis.pipeline(transaction=True) as step:
            step.set(self._keys.health(), orjson.dumps(result))
            step.xadd(
                self._keys.health_samples(),
                {"sample": orjson.dumps(sample)},
                maxlen=_SAMPLES_KEPT,
                approximate=True,
            )
            await step.execute()

    async def read(self) -> dict[str, Any] | None:
        """The last result: status, checkedAt, warnings and services; None before the first."""
        raw = await self._redis.get(self._keys.health())
        return orjson.loads(raw) if raw else None

    async def samples(self, since: datetime, until: datetime) -> AsyncIterator[dict[str, Any]]:
        """Samples taken in [since, until), in order."""
        start, end = str(int(since.timestamp() * 1000)), f"({int(until.timestamp() * 1000)}-0"
        while True:
            entries = await self._redis.xrange(self._keys.health_samples(), start, end, count=_PAGE)
            for _, fields in entries:
                yield orjson.loads(fields[b"sample"])
            if len(entries) < _PAGE:
                return
            start = f"({entries[-1][0].decode()}"
