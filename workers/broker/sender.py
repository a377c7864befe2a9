"""Enqueueing from threads: each has its own sequence, so that a call whose reply was lost may be repeated."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from dramatiq import Message

from workers.broker.encoding import arguments, partition_for
from workers.broker.keys import Keys
from workers.broker.scripts import AWAY, ENQUEUE, Client
from workers.errors import QueueUnavailable

MEMORY_MS = 600_000
"""For how long Redis remembers a producer's last call."""
MESSAGES_A_CALL = 500
_TRY_FOR_S = 5.0
_LONGEST_BACKOFF_S = 0.5


class Sender:
    """Puts messages in line and returns once Redis has confirmed. Thread-safe."""

    def __init__(self, client: Client, namespace: str, partitions: int, *, replicas: int = 0) -> None:
        self._client = client
        self._replicas = replicas
        self._keys = [Keys(namespace, partition, partitions) for partition in range(partitions)]
        self._local = threading.local()

    def send(self, messages: Sequence[Message[Any]], *, delay_ms: int = 0) -> None:
        """Enqueue all, one call for each 500 of a partition.

        Raises QueueUnavailable if Redis did not confirm within some seconds, MessageTooLarge, ValueError and
        TypeError (before anything is sent) for messages that cannot be stored.
        """
        for partition, args in batches(messages, delay_ms, len(self._keys)):
            self._call(self._keys[partition], args)

    def _call(self, keys: Keys, args: list[Any]) -> None:
        producer, sequence = self._next()
        end, backoff_s = time.monotonic() + _TRY_FOR_S, 0.05
        while True:
            try:
                ENQUEUE.run(
                    self._client,
                    (*keys.base, keys.of_producer(producer)),
                    (sequence, MEMORY_MS, *args),
                    replicas=self._replicas,
                )
            except AWAY as away:
                if time.monotonic() + backoff_s > end:
                    raise QueueUnavailable(f"messages not confirmed by redis: {away}") from away
                time.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
            else:
                return

    def _next(self) -> tuple[str, int]:
        local = self._local
        # A forked process inherits the thread that forked it, but not its sequence.
        if getattr(local, "process", None) != os.getpid():
            local.process, local.producer, local.sequence = os.getpid(), uuid4().hex, itertools.count(1)
        return local.producer, next(local.sequence)


def batches(messages: Sequence[Message[Any]], delay_ms: int, partitions: int) -> list[tuple[int, list[Any]]]:
    """The arguments of the calls that enqueue these messages: (partition, up to 500 messages)."""
    by_partition: dict[int, list[tuple[int, int, str, bytes]]] = {}
    for message in messages:
        by_partition.setdefault(partition_for(message, partitions), []).append(arguments(message, delay_ms))
    return [
        (partition, list(itertools.chain.from_iterable(found[first : first + MESSAGES_A_CALL])))
        for partition, found in by_partition.items()
        for first in range(0, len(found), MESSAGES_A_CALL)
    ]
