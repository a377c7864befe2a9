"""The open connections of a process: bounded in number and in patience, so that none keeps others out."""

from __future__ import annotations

import asyncio
import resource
from typing import Protocol

from workers import logs, metrics

_log = logs.get_logger("api")
_LOOK_EVERY_S = 1.0
# Files that the process opens beside: to Redis, to Graph, reports.
_OTHER_FILES = 256
_MANY_FILES = 65_536
# Room is made for so many at once: to find those that have been idle for longest takes a look at all.
_ROOM = 0.05


class Held(Protocol):
    """A connection, as far as it is held here."""

    @property
    def waits_since(self) -> float | None: ...

    def is_overdue(self, now: float) -> bool: ...

    def give_up(self) -> None: ...


class Connections:
    """All connections. Beyond `limit` a new one takes the place of one that has been idle for longest."""

    def __init__(self, limit: int) -> None:
        self._limit = max(1, min(limit, _files_allowed() - _OTHER_FILES))
        self._held: set[Held] = set()

    def add(self, connection: Held) -> None:
        if len(self._held) >= self._limit and not self._make_room():
            _count("connection_refused")
            connection.give_up()
        self._held.add(connection)

    def remove(self, connection: Held) -> None:
        self._held.discard(connection)

    async def follow(self) -> None:
        """Give up what is overdue, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now = loop.time()
            for connection in [held for held in self._held if held.is_overdue(now)]:
                _count("connection_too_slow")
                connection.give_up()

    def _make_room(self) -> bool:
        """Close those that have been idle for longest; False where none is idle."""
        idle = [(since, held) for held in self._held if (since := held.waits_since) is not None]
        idle.sort(key=lambda pair: pair[0])
        oldest = idle[: max(1, int(self._limit * _ROOM))]
        for _, held in oldest:
            held.give_up()
            self._held.discard(held)
        if oldest:
            _log.warning("idle_connections_closed", count=len(oldest), open=len(self._held))
        return bool(oldest)


def allow_many_files() -> None:
    """Raise this process' limit of open files as far as it goes: each connection is one."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if most == resource.RLIM_INFINITY else min(most, _MANY_FILES)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _files_allowed() -> int:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MANY_FILES if allowed == resource.RLIM_INFINITY else allowed


def _count(what: str) -> None:
    metrics.ERRORS.labels(what, "api", "warning").inc()
