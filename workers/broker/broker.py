"""The broker: dramatiq's actors and worker over our queue in Redis."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from dramatiq import Broker as DramatiqBroker
from dramatiq import Message, Middleware
from dramatiq.errors import QueueJoinTimeout, QueueNotFound

from workers.broker.connections import own_client
from workers.broker.consumer import Consumer
from workers.broker.dead_letters import DeadLetters
from workers.broker.encoding import QUEUE
from workers.broker.hand import Hand
from workers.broker.intake import Intake
from workers.broker.keys import Keys
from workers.broker.lifecycle import Lifecycle
from workers.broker.middleware import default_middleware, ours_for
from workers.broker.scripts import FLUSH, Client
from workers.broker.sender import Sender
from workers.broker.sorting import knows, sort
from workers.broker.stats import QueueStats, read_stats
from workers.broker.waiting import Waiting
from workers.errors import QueueUnavailable

_HOOKS = [name for name in dir(Middleware) if name.startswith(("before_", "after_"))]


class Broker(DramatiqBroker):
    """Enqueues and consumes. Actors bind to it at import; `connect` lends it Redis at process start."""

    def __init__(
        self,
        namespace: str = "econeura",
        *,
        partitions: int = 1,
        confirm_replicas: int = 0,
        middleware: Sequence[Middleware] | None = None,
    ) -> None:
        self._heard: set[str] = set()
        super().__init__([Lifecycle(self), *(default_middleware() if middleware is None else middleware)])
        self.namespace = namespace
        self.partitions = partitions
        self.confirm_replicas = confirm_replicas
        """Believe only what so many replicas have, so that a failover loses nothing (not on a cluster)."""
        self.worker_id = ""
        self._given_id: str | None = None
        self._client: Client = None
        self._sender: Sender | None = None
        self._intake: Intake | None = None

    def connect(self, client: Client, *, worker_id: str | None = None) -> None:
        """Use this client's server (plain, Sentinel or Cluster); connections of our own are made to it.

        `worker_id` is how the supervisor names this process when it declares it dead; never used twice.
        """
        self._client = own_client(client)
        self._sender = Sender(self._client, self.namespace, self.partitions, replicas=self.confirm_replicas)
        self._given_id = worker_id

    @property
    def keys(self) -> list[Keys]:
        return [Keys(self.namespace, number, self.partitions) for number in range(self.partitions)]

    @property
    def client(self) -> Client:
        if self._client is None:
            raise QueueUnavailable("the broker is not connected: call Broker.connect first")
        return self._client

    @property
    def intake(self) -> Intake:
        if self._intake is None:
            raise QueueUnavailable("no worker runs in this process")
        return self._intake

    @property
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(self.client, self.keys)

    @property
    def waiting(self) -> Waiting:
        return Waiting(self.client, self.keys)

    def stats(self) -> QueueStats:
        """Sizes and ages of the queue, from O(1) reads; raises what redis-py raises."""
        return read_stats(self.client, self.keys)

    def declare_queue(self, queue_name: str) -> None:
        if queue_name != QUEUE:
            raise ValueError(f"queue {queue_name!r}: all actors use {QUEUE!r}, messages differ in priority")
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Put a message in line, `delay` milliseconds from now; returns once Redis has confirmed.

        Raises QueueUnavailable, MessageTooLarge, and ValueError for a priority that does not exist.
        """
        return self.enqueue_many([message], delay=delay)[0]

    def enqueue_many(
        self, messages: Iterable[Message[Any]], *, delay: int | None = None
    ) -> list[Message[Any]]:
        """Put messages in line, one call for each 500; raises as `enqueue` does."""
        found = list(messages)
        for message in found:
            self.emit_before("enqueue", message, delay)
        if self._sender is None:
            raise QueueUnavailable("the broker is not connected: call Broker.connect first")
        self._sender.send(found, delay_ms=delay or 0)
        for message in found:
            self.emit_after("enqueue", message, delay)
        return found

    def add_middleware(
        self,
        middleware: Middleware,
        *,
        before: type[Middleware] | None = None,
        after: type[Middleware] | None = None,
    ) -> None:
        """Add it; ours stands in for dramatiq's Retries, Pipelines and AsyncIO (see middleware.py)."""
        chosen = ours_for(middleware)
        if chosen is not middleware:
            self.middleware = [each for each in self.middleware if type(each) is not type(chosen)]
        self._heard |= {
            name for name in _HOOKS if getattr(type(chosen), name, None) is not getattr(Middleware, name)
        }
        super().add_middleware(chosen, before=before, after=after)

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        # dramatiq calls every middleware for every signal, four signals a message: skip those nobody hears.
        if f"before_{signal}" in self._heard:
            super().emit_before(signal, *args, **kwargs)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        if f"after_{signal}" in self._heard:
            super().emit_after(signal, *args, **kwargs)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30000) -> Consumer:
        """A consumer over the intake of this process; the intake adapts the prefetch itself.

        Where no worker runs it has an intake of its own, and takes up to `prefetch` messages.
        """
        self._check(queue_name)
        if self._intake is not None:
            return Consumer(self._intake, timeout)
        self.open_intake(prefetch, feeds_line=False)
        return Consumer(self.intake, timeout, on_close=self.close_intake)

    def open_intake(self, threads: int, *, feeds_line: bool = True) -> Intake:
        """Called when dramatiq's worker boots; raises QueueUnavailable, also if one runs already."""
        if self._intake is not None:
            raise QueueUnavailable("a worker runs already in this process")
        # Not before now: the process that connected may have been forked into several.
        self.worker_id = self._given_id or f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        hands = [Hand(keys, self.client, self.worker_id) for keys in self.keys]
        taken_in = partial(sort, partial(knows, self.actors))
        self._intake = Intake(hands, threads, taken_in, feeds_line=feeds_line)
        self._intake.start()
        return self._intake

    def close_intake(self) -> None:
        """Called when dramatiq's worker has shut down."""
        if self._intake is not None:
            self._intake.close()
            self._intake = None

    def join(self, queue_name: str, *, interval: int = 20, timeout: int | None = None) -> None:
        """Wait until nothing waits, is delayed or runs, looking every `interval` milliseconds; for tests.

        Raises QueueJoinTimeout after `timeout` milliseconds, QueueNotFound, and what redis-py raises.
        """
        self._check(queue_name)
        end = math.inf if timeout is None else time.monotonic() + timeout / 1000
        while True:
            sizes = self.stats().by_status
            if not sizes["waiting"] + sizes["delayed"] + sizes["running"]:
                return
            if time.monotonic() >= end:
                raise QueueJoinTimeout(queue_name)  # type: ignore[no-untyped-call]
            time.sleep(interval / 1000)

    def flush(self, queue_name: str) -> None:
        """Drop everything that waits, is delayed or dead; for tests. What runs is left to its worker."""
        self._check(queue_name)
        self.flush_all()

    def flush_all(self) -> None:
        for keys in self.keys:
            FLUSH.run(self.client, keys.base, ())

    def _check(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
