"""Requests that arrive together share their round trips to Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import redis

from workers.errors import QueueUnavailable

Item = TypeVar("Item")
# Of the event loop, before each batch: so long takes a request that has arrived to come to its item.
_TURNS = 3


class Batches(Generic[Item]):
    """Hands items to `store` in batches, one batch at a time: what comes meanwhile is the next batch.

    Alone, an item goes at once; under load the batches grow and the cost of each request falls.
    """

    def __init__(self, store: Callable[[list[Item]], Awaitable[None]]) -> None:
        self._store = store
        self._waiting: list[tuple[tuple[Item, ...], asyncio.Future[None]]] = []
        self._storing: asyncio.Task[None] | None = None

    async def add(self, *items: Item) -> None:
        """Return once the items are stored; raises what `store` raised for their batch."""
        loop = asyncio.get_running_loop()
        # One for each caller: who goes away must not take the batch along.
        stored: asyncio.Future[None] = loop.create_future()
        self._waiting.append((items, stored))
        if self._storing is None:
            self._storing = loop.create_task(self._store_all())
        await stored

    async def _store_all(self) -> None:
        while self._waiting:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            batch, self._waiting = self._waiting, []
            problem: Exception | None = None
            try:
                await self._store([item for items, _ in batch for item in items])
            except (redis.RedisError, QueueUnavailable) as away:
                problem = away
                # Those who came meanwhile would wait as long for the same answer.
                batch, self._waiting = batch + self._waiting, []
            except Exception as error:  # noqa: BLE001 each caller is told, whatever it was
                problem = error
            for _, stored in batch:
                if stored.done():
                    continue
                if problem is None:
                    stored.set_result(None)
                else:
                    stored.set_exception(problem)
        self._storing = None
