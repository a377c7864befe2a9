"""The loop of a scheduler: wakes for each fire, and twice a second looks at what changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import redis
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from workers import logs, metrics
from workers.errors import NotFound
from workers.jobs import ScheduledJob
from workers.scheduler.publishing import Publisher
from workers.scheduler.trigger import CronSimTrigger
from workers.settings import Settings
from workers.store import Store
from workers.store.job_state import Standing
from workers.store.schedulers import BEAT_EVERY_S

_log = logs.get_logger("scheduler")
_LOOK_EVERY_S = 0.4
# Should Redis come back from an older copy, what it forgot is found this soon, not at the next fire.
_LOOK_AT_ALL_EVERY_S = 30.0
# Smaller differences between our clock and that of Redis are the time of the question itself.
_CLOCKS_AGREE = timedelta(seconds=0.25)
_OPENING_JOB = "graph_sync"
_AWAY = (redis.RedisError, OSError)


class Scheduler:
    """Publishes the jobs given by `define`; everything else it knows is in Redis."""

    def __init__(self, store: Store, settings: Settings, scheduler_id: str) -> None:
        self._store = store
        self._publisher = Publisher(store, settings)
        self._id = scheduler_id
        self._clock = AsyncIOScheduler(timezone=UTC)
        self._jobs: list[ScheduledJob] = []
        self._is_defined = False
        self._has_joined = False
        self._version = -1
        self._owed: set[str] = set()
        self._ahead = timedelta()
        self._beat_at = 0.0
        self._look_at_all_at = 0.0
        self._is_away = False

    def define(self, jobs: Iterable[ScheduledJob]) -> None:
        """Take a table of jobs for the one in force; written to Redis with the next look."""
        self._jobs = list(jobs)
        self._is_defined = False

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set. Redis may come and go."""
        self._clock.start()
        try:
            while not stop.is_set():
                await self._look()
                try:
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await stop.wait()
                except TimeoutError:
                    continue
        finally:
            self._clock.shutdown(wait=False)
            try:
                await self._store.schedulers.leave(self._id)
            except _AWAY as away:
                _log.warning("not_signed_off", error=str(away))

    async def _look(self) -> None:
        try:
            await self._look_at_redis()
        except _AWAY as away:
            self._note_away(away)
        else:
            self._is_away = False

    async def _look_at_redis(self) -> None:
        await self._sign_in()
        await self._compare_clocks()
        version = await self._store.schedule.version()
        if version != self._version:
            self._follow(await self._store.schedule.standings())
            self._version = version
        if time.monotonic() >= self._look_at_all_at:
            self._owed |= {job.id for job in self._clock.get_jobs()}
            self._look_at_all_at = time.monotonic() + _LOOK_AT_ALL_EVERY_S
        for job_id in sorted(self._owed):
            await self._fire(job_id)

    async def _sign_in(self) -> None:
        if not self._is_defined:
            await self._store.schedule.define(self._jobs)
            self._is_defined = True
        if not self._has_joined:
            opening = [job.id for job in self._jobs if _OPENING_JOB in (job.id, job.actor)]
            first = await self._store.schedulers.join(self._id, opening_jobs=opening)
            self._has_joined = True
            _log.info("joined", first=first, jobs=len(self._jobs))
        elif time.monotonic() >= self._beat_at:
            await self._store.schedulers.beat(self._id)
            self._beat_at = time.monotonic() + BEAT_EVERY_S

    async def _compare_clocks(self) -> None:
        seconds, microseconds = await self._store.redis.time()
        ahead = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC) - datetime.now(UTC)
        self._ahead = ahead if abs(ahead) > _CLOCKS_AGREE else timedelta()

    def _follow(self, standings: dict[str, Standing]) -> None:
        """Wake at the times that now hold; look once at every job, for runs asked for or owed."""
        for job in self._clock.get_jobs():
            if job.id not in standings:
                job.remove()
        for job_id, standing in standings.items():
            self._clock.add_job(
                self._fire,
                CronSimTrigger(standing.line, job_id, standing.job.jitter_s),
                args=(job_id,),
                id=job_id,
                replace_existing=True,
                misfire_grace_time=None,
                coalesce=True,
                max_instances=3,
            )
        self._owed = set(standings)

    async def _fire(self, job_id: str) -> None:
        self._owed.add(job_id)
        try:
            settled = await self._publisher.publish_due(job_id, datetime.now(UTC) + self._ahead)
        except _AWAY as away:
            self._note_away(away)
        except NotFound:
            # Taken out of the table by another scheduler, which read a newer file.
            self._owed.discard(job_id)
        else:
            if settled:
                self._owed.discard(job_id)

    def _note_away(self, away: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            metrics.ERRORS.labels("redis_away", "scheduler", "error").inc()
            _log.error("redis_away", error=str(away))
