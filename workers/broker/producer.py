"""Enqueueing from asyncio: what is sent in one turn of the event loop travels in few calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

from dramatiq import Message

from workers.broker.encoding import arguments, partition_for
from workers.broker.keys import Keys
from workers.broker.line import Batch, Line
from workers.broker.scripts import AWAY, AsyncClient
from workers.broker.telemetry import stamp
from workers.errors import QueueUnavailable
from workers.redis_records import Record


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
            Line(client, Keys(namespace, number, partitions), confirm_replicas)
            for number in range(partitions)
        ]

    async def send(self, *messages: Message[Any], delay_s: float = 0, beside: Record | None = None) -> None:
        """Enqueue all of them, and write the record `beside` them so that it is there before they run.

        Raises QueueUnavailable if Redis did not confirm within some seconds, MessageTooLarge, ValueError and
        TypeError (before anything is sent) for messages that cannot be stored.
        """
        lines, delay_ms = self._lines, int(delay_s * 1000)
        for message in messages:
            stamp(message)
        if len(lines) == 1:
            await lines[0].put(Batch([arguments(message, delay_ms) for message in messages], beside))
            return
        by_line: dict[int, list[tuple[int, int, str, bytes]]] = {}
        for message in messages:
            line = partition_for(message, len(lines))
            by_line.setdefault(line, []).append(arguments(message, delay_ms))
        if beside is None:
            await self._put(by_line)
            return
        # Partitions are slots of their own: no step of Redis reaches a partition and the record.
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._forget, beside)
            await self._write(beside)
            await self._put(by_line)
            undo.pop_all()

    async def _put(self, by_line: Mapping[int, Sequence[tuple[int, int, str, bytes]]]) -> None:
        for confirmed in [self._lines[line].put(Batch(found)) for line, found in by_line.items()]:
            await confirmed

    async def _write(self, record: Record) -> None:
        try:
            await record.write(self._client)
        except AWAY as away:
            raise QueueUnavailable(f"messages not confirmed by redis: {away}") from away

    async def _forget(self, record: Record) -> None:
        with suppress(*AWAY):
            await self._client.delete(record.key)
