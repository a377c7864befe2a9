"""Which schedulers are alive, and who of them came first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys

_HERE = Path(__file__).parent
BEAT_EVERY_S = 1.0
ALIVE_S = 3.0
"""A scheduler that gave no sign of life for so long has stopped, or is paused."""
_FORGOTTEN_S = 3600.0


class Schedulers:
    """Signs of life of the scheduler processes."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._join = client.register_script((_HERE / "schedule_join.lua").read_text(encoding="utf-8"))

    async def join(self, scheduler_id: str, *, opening_jobs: Sequence[str]) -> bool:
        """Come in; the first of a fleet asks for `opening_jobs` to run now. True for the first."""
        jobs = [self._keys.schedule_job(job_id) for job_id in opening_jobs]
        keys = [self._keys.schedulers(), self._keys.schedule_version(), *jobs]
        return bool(await self._join(keys=keys, args=[scheduler_id, int(ALIVE_S * 1000)]))

    async def beat(self, scheduler_id: str) -> None:
        """Give a sign of life."""
        now_ms = await self._now_ms()
        await self._redis.zadd(self._keys.schedulers(), {scheduler_id: now_ms})

    async def leave(self, scheduler_id: str) -> None:
        """Go in good order."""
        await self._redis.zrem(self._keys.schedulers(), scheduler_id)

    async def silent_s(self) -> dict[str, float]:
        """Scheduler id -> seconds since its last sign of life; those gone for an hour are forgotten."""
        now_ms = await self._now_ms()
        await self._redis.zremrangebyscore(self._keys.schedulers(), "-inf", int(now_ms - _FORGOTTEN_S * 1000))
        seen = await self._redis.zrange(self._keys.schedulers(), 0, -1, withscores=True)
        return {name.decode(): max(0.0, (now_ms - at_ms) / 1000) for name, at_ms in seen}

    async def _now_ms(self) -> int:
        seconds, microseconds = await self._redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000
