"""The way into one partition from asyncio: messages of many senders share their calls to Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias
from uuid import uuid4

from redis.asyncio import RedisCluster

from workers.broker.keys import Keys
from workers.broker.scripts import AWAY, ENQUEUE, AsyncClient
from workers.broker.sender import MEMORY_MS, MESSAGES_A_CALL
from workers.broker.wire import Wire
from workers.errors import QueueUnavailable
from workers.redis_records import Record

_TRY_FOR_S = 5.0
_LONGEST_BACKOFF_S = 0.5
# Of the event loop, before each call: so long takes a request that has arrived to come to its message. What
# would be many calls of few messages each is one of many, at hardly any time where little is going on.
_TURNS = 2
_CALLS_AT_ONCE = 2
# So many who wait are worth a call more, if one can be made: while Redis works on the one half, the other is
# filled, or answered.
_WORTH_PARTING = 24


class Batch(NamedTuple):
    """Messages that one sender has for a partition, as enqueue.lua takes them, and a record beside them."""

    messages: Sequence[tuple[int, int, str, bytes]]
    beside: Record | None = None


_Waiting: TypeAlias = tuple[Batch, asyncio.Future[None]]


class Line:
    """Gathers batches into calls. Few are under way at a time; what comes meanwhile goes with the next."""

    def __init__(self, client: AsyncClient, keys: Keys, replicas: int) -> None:
        self._idle = [_Caller(client, keys, replicas) for _ in range(_CALLS_AT_ONCE)]
        self._waiting: list[_Waiting] = []
        self._gathering: _Caller | None = None

    def put(self, batch: Batch) -> asyncio.Future[None]:
        """Have a batch sent; the future ends when Redis has it, or raises what kept it from that."""
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, confirmed))
        self._call_if_free()
        return confirmed

    def _call_if_free(self) -> None:
        if self._waiting and self._idle and self._gathering is None:
            caller = self._gathering = self._idle.pop()
            # A task of its own: whatever ends it, those who wait are told.
            caller.under_way = asyncio.create_task(self._call(caller))
            caller.under_way.add_done_callback(partial(self._answered, caller))

    async def _call(self, caller: _Caller) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._gathering = None
        caller.taken = self._take()
        self._call_if_free()
        if caller.taken:
            await caller.call([batch for batch, _ in caller.taken])

    def _answered(self, caller: _Caller, call: asyncio.Task[None]) -> None:
        if self._gathering is caller:
            self._gathering = None
        taken, caller.taken = caller.taken, []
        self._idle.append(caller)
        problem = asyncio.CancelledError() if call.cancelled() else call.exception()
        if isinstance(problem, QueueUnavailable):
            # Those who came meanwhile would wait as long for the same answer.
            taken, self._waiting = taken + self._waiting, []
        for _, confirmed in taken:
            if confirmed.done():
                continue
            if problem is not None:
                confirmed.set_exception(problem)
            else:
                confirmed.set_result(None)
        self._call_if_free()

    def _take(self) -> list[_Waiting]:
        most = len(self._waiting)
        if self._idle and most >= _WORTH_PARTING:
            most = -(-most // 2)
        count, size = 0, 0
        while count < most and (count == 0 or size < MESSAGES_A_CALL):
            size += len(self._waiting[count][0].messages)
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken


class _Caller:
    """Makes one call at a time. They are numbered: one whose reply was lost may be repeated."""

    def __init__(self, client: AsyncClient, keys: Keys, replicas: int) -> None:
        # A cluster has a pool for each node; WAIT must follow its call, which is a pipeline's to do.
        keeps_wire = not (replicas or isinstance(client, RedisCluster))
        self._client = Wire(client.connection_pool) if keeps_wire else client
        self._replicas = replicas
        self._keys = (*keys.base, keys.of_producer(uuid4().hex))
        self._sequence = 0
        self.taken: list[_Waiting] = []
        """What it sends."""
        self.under_way: asyncio.Task[None] | None = None

    async def call(self, batches: Sequence[Batch]) -> None:
        """Send all of it.

        Raises QueueUnavailable if Redis does not confirm within some seconds, or what Redis raises.
        """
        self._sequence += 1
        keys, args = self._content(batches)
        loop = asyncio.get_running_loop()
        end, backoff_s = loop.time() + _TRY_FOR_S, 0.05
        while True:
            try:
                async with asyncio.timeout_at(end):
                    if isinstance(self._client, RedisCluster):
                        # redis-py may close a node's first connection under another task, unless asked first.
                        await self._client.initialize()
                    await ENQUEUE.run_async(self._client, keys, args, replicas=self._replicas)
            except (*AWAY, TimeoutError) as away:
                if loop.time() + backoff_s > end:
                    reason = str(away) or type(away).__name__
                    raise QueueUnavailable(f"messages not confirmed by redis: {reason}") from away
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
            else:
                return

    def _content(self, batches: Sequence[Batch]) -> tuple[list[str], list[Any]]:
        """Keys and arguments of the call; what several records say alike is in them once."""
        alike: dict[tuple[int, tuple[str | int, ...]], list[str]] = {}
        for batch in batches:
            if batch.beside is not None:
                key, keep_s, values = batch.beside
                alike.setdefault((keep_s, values), []).append(key)
        keys, args = list(self._keys), list[Any]((self._sequence, MEMORY_MS))
        for (keep_s, values), records in alike.items():
            keys += records
            args += (len(records), keep_s, len(values), *values)
        for batch in batches:
            for message in batch.messages:
                args += message
        return keys, args
