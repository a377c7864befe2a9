"""The line between dramatiq's consumer thread and its worker threads, in place of its PriorityQueue.

dramatiq's own orders by actor and wakes a thread for every message. This one orders by the priority of the
message, lets what was not started be taken back, wakes all threads at a stop, and, when messages take next to
no time, leaves most threads asleep: with Python's one lock they would only get in each other's way.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty
from typing import Protocol

from dramatiq import MessageProxy

from workers.broker.delivery import Delivery

_FAST_S = 0.0005
_FAST_SHARE = 0.9
_FAST_THREADS = 4
_SMOOTHING = 0.02
_STALLED_S = 0.001


class Item(Protocol):
    """What dramatiq puts in: a message, with the priority of its actor, which is the same for all of ours."""

    @property
    def message(self) -> MessageProxy: ...


@dataclass(frozen=True, slots=True)
class Ready:
    """The same, put in by us."""

    message: MessageProxy


class WorkQueue:
    """Thread-safe; has of queue.PriorityQueue what dramatiq's Worker uses."""

    def __init__(self, threads: int, refuse: Callable[[Delivery], None]) -> None:
        """`refuse` is given what must not start any more, because another worker may have it."""
        self._threads = threads
        self._refuse = refuse
        self._mutex = threading.Lock()
        self._lines: dict[str, deque[Item]] = {name: deque() for name in ("urgent", "high", "normal", "low")}
        self._waiting = 0
        self._asleep: list[threading.Lock] = []
        self._is_closed = False
        self._last_get = 0.0
        self._fast_share = 0.0
        self.run_s = 0.0
        """How long messages run, on a moving average."""
        self.unfinished_tasks = 0

    def put(self, item: Item) -> bool:
        """Returns whether a thread was woken for it."""
        message = item.message
        priority = message.entry.priority if isinstance(message, Delivery) else "normal"
        with self._mutex:
            self._lines[priority].append(item)
            self._waiting += 1
            self.unfinished_tasks += 1
            sleeper = self._asleep.pop() if self._asleep and self._should_wake() else None
        if sleeper is None:
            return False
        sleeper.release()
        return True

    def get(self, timeout: float | None = None) -> Item:
        """The best message there is; raises Empty after `timeout` seconds, and at once when closed."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            item = self._next(end)
            message = item.message
            if not isinstance(message, Delivery) or message.begin():
                return item
            self._refuse(message)
            self.task_done()

    def _next(self, end: float | None) -> Item:
        while True:
            with self._mutex:
                if self._waiting:
                    return self._pop()
                if self._is_closed or (end is not None and time.monotonic() >= end):
                    raise Empty
                bell = threading.Lock()
                bell.acquire()
                # Last to sleep, first to wake: what it needs may still be in the processor's caches.
                self._asleep.append(bell)
            if not bell.acquire(timeout=-1 if end is None else max(end - time.monotonic(), 0)):
                with self._mutex:
                    if bell in self._asleep:
                        self._asleep.remove(bell)

    @property
    def is_waiting(self) -> bool:
        return self._waiting > 0

    @property
    def has_sleepers_to_spare(self) -> bool:
        """Threads were left asleep though messages wait: look again soon whether that was right."""
        return self._waiting > 0 and bool(self._asleep)

    def get_nowait(self) -> Item:
        with self._mutex:
            if not self._waiting:
                raise Empty
            return self._pop()

    def task_done(self) -> None:
        with self._mutex:
            self.unfinished_tasks -= 1

    def join(self) -> None:
        """Wait until everything that was put in is done; for tests that use dramatiq's Worker.join."""
        while self.unfinished_tasks:
            time.sleep(0.005)

    def note_run(self, duration_s: float) -> None:
        """How long a message ran: by these it is known whether more threads would help."""
        self.run_s += _SMOOTHING * (duration_s - self.run_s)
        self._fast_share += _SMOOTHING * ((duration_s < _FAST_S) - self._fast_share)

    def rouse(self) -> None:
        """Those awake have started nothing for a moment: wake as many again, if as many messages wait."""
        if not self._waiting or time.monotonic() - self._last_get < _STALLED_S:
            return
        with self._mutex:
            awake = self._threads - len(self._asleep)
            count = min(self._waiting, len(self._asleep), max(awake, 1))
            sleepers = [self._asleep.pop() for _ in range(count)]
        for sleeper in sleepers:
            sleeper.release()

    def take_back(self, older_than_s: float = 0.0) -> list[Delivery]:
        """Remove what no thread has started for so long."""
        before, taken = time.monotonic() - older_than_s, []
        with self._mutex:
            for line in self._lines.values():
                for item in [each for each in line if self._is_older(each, before)]:
                    line.remove(item)
                    self._waiting -= 1
                    self.unfinished_tasks -= 1
                    taken.append(item.message)
        return [message for message in taken if isinstance(message, Delivery)]

    def close(self) -> None:
        """Wake every thread: there is nothing to wait for any more."""
        with self._mutex:
            self._is_closed = True
            sleepers, self._asleep = self._asleep, []
        for sleeper in sleepers:
            sleeper.release()

    def _pop(self) -> Item:
        self._waiting -= 1
        self._last_get = time.monotonic()
        for line in self._lines.values():
            if line:
                return line.popleft()
        raise Empty

    def _should_wake(self) -> bool:
        awake = self._threads - len(self._asleep)
        return awake < _FAST_THREADS or self._fast_share < _FAST_SHARE

    @staticmethod
    def _is_older(item: Item, before: float) -> bool:
        return isinstance(item.message, Delivery) and item.message.taken_at <= before
