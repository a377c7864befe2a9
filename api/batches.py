"""Requests that arrive together share their round trips to Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Batches(Generic[Item]):
    """Hands items to `store` in batches, one batch at a time: what comes meanwhile is the next batch.

    Alone, an item goes at once; under load the batches grow and the cost of each request falls.
    """

    def __init__(self, store: Callable[[list[Item]], Awaitable[None]]) -> None:
        self._store = store
        self._gathering: list[Item] = []
        self._next: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def add(self, *items: Item) -> None:
        """Return once the items are stored; raises what `store` raised for their batch."""
        self._gathering += items
        if self._next is None:
            self._next = asyncio.create_task(self._run())
        # The batch is not this caller's alone: a caller that goes away must not take it along.
        await asyncio.shield(self._next)

    async def _run(self) -> None:
        async with self._one_at_a_time:
            batch, self._gathering, self._next = self._gathering, [], None
            await self._store(batch)
