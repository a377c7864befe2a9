"""Enqueueing from asyncio: what is sent in one turn of the event loop travels in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from dramatiq import Message
from redis.asyncio import RedisCluster

from workers.broker.encoding import arguments, partition_for
from workers.broker.keys import Keys
from workers.broker.scripts import AWAY, ENQUEUE, AsyncClient
from workers.broker.sender import MEMORY_MS, MESSAGES_A_CALL
from workers.broker.telemetry import stamp
from workers.errors import QueueUnavailable

_TRY_FOR_S = 5.0
_LONGEST_BACKOFF_S = 0.5


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
        self._lines = [
            _Line(client, Keys(namespace, number, partitions), confirm_replicas)
            for number in range(partitions)
        ]

    async def send(self, *messages: Message[Any], delay_s: float = 0) -> None:
        """Enqueue all of them.

        Raises QueueUnavailable if Redis did not confirm within some seconds, MessageTooLarge, ValueError and
        TypeError (before anything is sent) for messages that cannot be stored.
        """
        by_line: dict[int, list[tuple[int, int, str, bytes]]] = {}
        for message in messages:
            stamp(message)
            line = partition_for(message, len(self._lines))
            by_line.setdefault(line, []).append(arguments(message, int(delay_s * 1000)))
        for confirmed in [self._lines[line].put(found) for line, found in by_line.items()]:
            await confirmed


class _Line:
    """One partition: one call is under way at a time, what comes meanwhile goes with the next."""

    def __init__(self, client: AsyncClient, keys: Keys, replicas: int) -> None:
        self._client = client
        self._replicas = replicas
        producer = uuid4().hex
        self._keys = (*keys.base, keys.of_producer(producer))
        self._sequence = 0
        self._waiting: list[tuple[Sequence[tuple[int, int, str, bytes]], asyncio.Future[None]]] = []
        self._sending: asyncio.Task[None] | None = None

    def put(self, found: Sequence[tuple[int, int, str, bytes]]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        confirmed: asyncio.Future[None] = loop.create_future()
        self._waiting.append((found, confirmed))
        if self._sending is None:
            # A task starts with the next turn of the loop: all of this turn's messages are there by then.
            self._sending = loop.create_task(self._send_all())
        return confirmed

    async def _send_all(self) -> None:
        while self._waiting:
            count, size = 0, 0
            while count < len(self._waiting) and (count == 0 or size < MESSAGES_A_CALL):
                size += len(self._waiting[count][0])
                count += 1
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            args = [value for found, _ in batch for fields in found for value in fields]
            call = asyncio.create_task(self._call(args))
            await asyncio.wait({call})
            for _, confirmed in batch:
                if confirmed.done():
                    continue
                if problem := call.exception():
                    confirmed.set_exception(problem)
                else:
                    confirmed.set_result(None)
        self._sending = None

    async def _call(self, args: list[Any]) -> None:
        self._sequence += 1
        loop = asyncio.get_running_loop()
        end, backoff_s = loop.time() + _TRY_FOR_S, 0.05
        while True:
            try:
                async with asyncio.timeout_at(end):
                    if isinstance(self._client, RedisCluster):
                        # redis-py may close a node's first connection under another task, unless asked first.
                        await self._client.initialize()
                    await ENQUEUE.run_async(
                        self._client,
                        self._keys,
                        (self._sequence, MEMORY_MS, *args),
                        replicas=self._replicas,
                    )
            except (*AWAY, TimeoutError) as away:
                if loop.time() + backoff_s > end:
                    raise QueueUnavailable(f"messages not confirmed by redis: {away}") from away
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
            else:
                return
