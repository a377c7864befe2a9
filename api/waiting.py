"""Requests that wait for the end of a job: one Redis subscription per process, however many wait."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress

import redis

from api.background import end
from workers import logs
from workers.store import Job, Store

_log = logs.get_logger("api")
# An announcement can be lost (a cut connection): a waiter looks by itself this often.
_LOOK_AGAIN_S = 1.0
_RECONNECT_AFTER_S = 0.5
# Those who wait hold their place among the requests in hand; others must find one, too.
_MOST_WAITED_FOR = 1000


class Waiting:
    """Waits for jobs. Listens from the first waiter on; `send_home` lets all of them go at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()
        self._closing = False

    async def wait(self, job_id: str, *, timeout_s: float) -> Job | None:
        """The job once it ended, or as it stands when the time is up or the server stops."""
        if len(self._waiters) >= _MOST_WAITED_FOR:
            return await self._store.jobs.get(job_id)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        ended = asyncio.Event()
        self._waiters[job_id].add(ended)
        try:
            await self._listen(min(timeout_s, _LOOK_AGAIN_S))
            while True:
                job = await self._store.jobs.get(job_id)
                left_s = deadline - loop.time()
                if job is None or job.has_ended or left_s <= 0 or self._closing:
                    return job
                ended.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, _LOOK_AGAIN_S)):
                        await ended.wait()
        finally:
            self._waiters[job_id].discard(ended)
            if not self._waiters[job_id]:
                del self._waiters[job_id]

    def send_home(self) -> None:
        """Have all who wait, and will, told how their job stands now: the server stops."""
        self._closing = True
        for waiters in self._waiters.values():
            for ended in waiters:
                ended.set()

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            await end(self._listener)

    async def _listen(self, timeout_s: float) -> None:
        """Return once announcements reach us, or after a while all the same: then looking must do."""
        if self._listener is None:
            self._listener = asyncio.create_task(self._follow())
        if not self._listening.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._listening.wait()

    async def _follow(self) -> None:
        while True:
            try:
                await self._pass_on()
            except redis.RedisError as lost:
                _log.warning("announcements_lost", reason=type(lost).__name__)
            self._listening.clear()
            await asyncio.sleep(_RECONNECT_AFTER_S)

    async def _pass_on(self) -> None:
        async with self._store.redis.pubsub(ignore_subscribe_messages=True) as announcements:
            await announcements.subscribe(self._store.keys.jobs_ended())
            self._listening.set()
            while True:
                message = await announcements.get_message(timeout=_LOOK_AGAIN_S)
                if message is not None:
                    for ended in self._waiters.get(message["data"].decode(), ()):
                        ended.set()
