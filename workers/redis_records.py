"""A hash that one part of the core describes and another writes, in one step with something of its own."""

from __future__ import annotations

from typing import NamedTuple

from workers.redis_clients import AsyncRedis


class Record(NamedTuple):
    """A hash of Redis: its key, how long it is kept, and its names and values in turn."""

    key: str
    keep_s: int
    values: tuple[str | int, ...]

    async def write(self, client: AsyncRedis) -> None:
        """Write it by itself."""
        async with client.pipeline(transaction=True) as step:
            step.hset(self.key, items=list(self.values))
            step.expire(self.key, self.keep_s)
            await step.execute()
