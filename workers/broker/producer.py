"""Enqueueing from asyncio: what is sent in one turn of the event loop travels in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, NamedTuple
from uuid import uuid4

from dramatiq import Message
from redis.asyncio import RedisCluster

from workers.broker.encoding import arguments, partition_for
from workers.broker.keys import Keys
from workers.broker.scripts import AWAY, ENQUEUE, AsyncClient
from workers.broker.sender import MEMORY_MS, MESSAGES_A_CALL
from workers.broker.telemetry import stamp
from workers.errors import QueueUnavailable
from workers.redis_records import Record

_TRY_FOR_S = 5.0
_LONGEST_BACKOFF_S = 0.5
# Of the event loop, before each call: so long takes a request that has arrived to come to its message. What
# would be many calls of few messages each is one of many, at hardly any time where little is going on.
_TURNS = 3


class Producer:
    """Puts messages in line and returns once Redis has confirmed. Belongs to one event loop."""

    def __init__(
        self,
        client: AsyncClient,
        namespace: str = "econeura",
        *,
        partitions: int = 1,
        confirm_replicas: int = 0,
    ) -> None:
        self._client = client
        self._lines = [
            _Line(client, Keys(namespace, number, partitions), confirm_replicas)
            for number in range(partitions)
        ]

    async def send(self, *messages: Message[Any], delay_s: float = 0, beside: Record | None = None) -> None:
        """Enqueue all of them, and write the record `beside` them so that it is there before they run.

        Raises QueueUnavailable if Redis did not confirm within some seconds, MessageTooLarge, ValueError and
        TypeError (before anything is sent) for messages that cannot be stored.
        """
        lines = self._lines
        by_line: dict[int, list[tuple[int, int, str, bytes]]] = {}
        for message in messages:
            stamp(message)
            line = partition_for(message, len(lines))
            by_line.setdefault(line, []).append(arguments(message, int(delay_s * 1000)))
        if beside is None or len(lines) == 1:
            await self._confirmed([lines[line].put(_Batch(found, beside)) for line, found in by_line.items()])
            return
        # Partitions are slots of their own: no step of Redis reaches a partition and the record.
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._forget, beside)
            await self._write(beside)
            await self._confirmed([lines[line].put(_Batch(found)) for line, found in by_line.items()])
            undo.pop_all()

    async def _confirmed(self, calls: Sequence[asyncio.Future[None]]) -> None:
        for call in calls:
            await call

    async def _write(self, record: Record) -> None:
        try:
            await record.write(self._client)
        except AWAY as away:
            raise QueueUnavailable(f"messages not confirmed by redis: {away}") from away

    async def _forget(self, record: Record) -> None:
        with suppress(*AWAY):
            await self._client.delete(record.key)


class _Batch(NamedTuple):
    """Messages that one caller sends to one partition."""

    messages: Sequence[tuple[int, int, str, bytes]]
    beside: Record | None = None


class _Line:
    """One partition: one call is under way at a time, what comes meanwhile goes with the next."""

    def __init__(self, client: AsyncClient, keys: Keys, replicas: int) -> None:
        self._client = client
        self._replicas = replicas
        producer = uuid4().hex
        self._keys = (*keys.base, keys.of_producer(producer))
        self._sequence = 0
        self._waiting: list[tuple[_Batch, asyncio.Future[None]]] = []
        self._sending: asyncio.Task[None] | None = None

    def put(self, batch: _Batch) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        confirmed: asyncio.Future[None] = loop.create_future()
        self._waiting.append((batch, confirmed))
        if self._sending is None:
            # A task starts with the next turn of the loop: all of this turn's messages are there by then.
            self._sending = loop.create_task(self._send_all())
        return confirmed

    async def _send_all(self) -> None:
        while self._waiting:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            count, size = 0, 0
            while count < len(self._waiting) and (count == 0 or size < MESSAGES_A_CALL):
                size += len(self._waiting[count][0].messages)
                count += 1
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
            problem = await self._outcome([batch for batch, _ in taken])
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
        self._sending = None

    async def _outcome(self, batches: Sequence[_Batch]) -> BaseException | None:
        # A task of its own: whatever ends it, those who wait are told.
        call = asyncio.create_task(self._call(batches))
        await asyncio.wait({call})
        return call.exception()

    async def _call(self, batches: Sequence[_Batch]) -> None:
        self._sequence += 1
        records = [batch.beside for batch in batches if batch.beside is not None]
        keys = (*self._keys, *(record.key for record in records))
        args: list[Any] = [self._sequence, MEMORY_MS]
        for record in records:
            args += (record.keep_s, len(record.values), *record.values)
        for batch in batches:
            for fields in batch.messages:
                args += fields
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
                    raise QueueUnavailable(f"messages not confirmed by redis: {away}") from away
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
            else:
                return
