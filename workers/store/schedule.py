"""The schedule as it stands: what is defined, what a person changed, and what came of each fire.

`Schedule` is what the API and the schedulers share; `ScheduledRuns` is the workers' side of a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from workers.cron import CronLine
from workers.errors import NotFound
from workers.jobs import SCHEDULED_JOBS, ScheduledJob
from workers.redis_clients import AsyncRedis
from workers.store.job_state import JobState, Run, Standing, definition_of, ms_of, run_of, standing_of
from workers.store.keys import Keys

RUNS_KEPT = 200
HOUR_KEPT_S = 10 * 86400
_HERE = Path(__file__).parent


class Schedule:
    """Jobs by id: read, switched on and off, moved, and run now. Schedulers follow within a second."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._change, self._define = (
            client.register_script((_HERE / f"schedule_{name}.lua").read_text(encoding="utf-8"))
            for name in ("change", "define")
        )

    async def jobs(self) -> list[JobState]:
        """Every job, ours first."""
        now = datetime.now(UTC)
        return [standing.shown(now) for standing in (await self.standings()).values()]

    async def get(self, job_id: str) -> JobState:
        """One job; raises NotFound."""
        return (await self.standing(job_id)).shown(datetime.now(UTC))

    async def enable(self, job_id: str) -> JobState:
        """Let a job fire again, from now on: what fell due meanwhile is not made up for. Raises NotFound."""
        return await self._changed(job_id, {"enabled": "1"})

    async def disable(self, job_id: str) -> JobState:
        """Stop a job's fires; its history stays, and it can still be run by hand. Raises NotFound."""
        return await self._changed(job_id, {"enabled": "0"})

    async def reschedule(self, job_id: str, cron: str, timezone: str | None = None) -> JobState:
        """Move a job to another cron line; raises NotFound, and BadSchedule naming what cannot be read."""
        standing = await self.standing(job_id)
        CronLine(cron, timezone or standing.job.timezone)
        wanted = {"schedule": cron, "timezone": timezone or standing.job.timezone}
        return await self._changed(job_id, wanted)

    async def run_now(self, job_id: str) -> JobState:
        """Ask for one run as soon as none is at work; a scheduler publishes it. Raises NotFound."""
        standing = await self.standing(job_id)
        async with self._redis.pipeline(transaction=True) as step:
            step.hset(self._keys.schedule_job(job_id), "requested", "request")
            step.incr(self._keys.schedule_version())
            await step.execute()
        return standing.shown(datetime.now(UTC))

    async def runs(self, job_id: str, limit: int = RUNS_KEPT) -> list[Run]:
        """The last runs of a job, the newest first; raises NotFound."""
        await self.standing(job_id)
        ids = await self._redis.lrange(self._keys.schedule_order(job_id), 0, limit - 1)
        raw = await self._redis.hmget(self._keys.schedule_runs(job_id), ids) if ids else []
        return [run_of(run) for run in raw if run is not None]

    async def stats(self) -> dict[str, int]:
        """Totals: total, enabled, disabled, total_runs, total_errors, total_skipped, total_missed."""
        jobs = await self.jobs()
        enabled = sum(job.enabled for job in jobs)
        return {
            "total": len(jobs),
            "enabled": enabled,
            "disabled": len(jobs) - enabled,
            "total_runs": sum(job.run_count for job in jobs),
            "total_errors": sum(job.error_count for job in jobs),
            "total_skipped": sum(job.skipped_count for job in jobs),
            "total_missed": sum(job.missed_count for job in jobs),
        }

    async def define(self, jobs: Iterable[ScheduledJob]) -> None:
        """Make these the jobs of the schedule. New ones begin now; jobs no longer named end."""
        keys, arguments = [self._keys.schedule_defined(), self._keys.schedule_version()], []
        for job in jobs:
            keys.append(self._keys.schedule_job(job.id))
            arguments += [job.id, orjson.dumps(job, option=orjson.OPT_SORT_KEYS)]
        await self._define(keys=keys, args=arguments)

    async def version(self) -> int:
        """A figure that rises whenever schedulers have something to look at."""
        return int(await self._redis.get(self._keys.schedule_version()) or 0)

    async def standings(self) -> dict[str, Standing]:
        """Every job with where it stands. Before any scheduler ran, those of the built-in table."""
        defined = await self._redis.hgetall(self._keys.schedule_defined())
        known = {name.decode(): definition_of(raw) for name, raw in defined.items()}
        jobs = {**{job_id: known.get(job_id, job) for job_id, job in SCHEDULED_JOBS.items()}, **known}
        async with self._redis.pipeline(transaction=False) as reads:
            for job_id in jobs:
                reads.hgetall(self._keys.schedule_job(job_id))
            states = await reads.execute()
        return {
            job_id: standing_of(job, fields)
            for (job_id, job), fields in zip(jobs.items(), states, strict=True)
        }

    async def hours(self, since: datetime, until: datetime) -> dict[str, dict[str, int]]:
        """Job id -> counts of completed, failed, skipped and missed runs, and their `ms`, in these hours."""
        first, last = int(since.timestamp() // 3600), int((until.timestamp() - 1) // 3600)
        async with self._redis.pipeline(transaction=False) as reads:
            for hour in range(first, last + 1):
                reads.hgetall(self._keys.schedule_hour(hour_name(datetime.fromtimestamp(hour * 3600, UTC))))
            hours = await reads.execute()
        totals: dict[str, dict[str, int]] = {}
        for counts in hours:
            for name, value in counts.items():
                job_id, _, what = name.decode().rpartition("|")
                of_job = totals.setdefault(job_id, {})
                of_job[what] = of_job.get(what, 0) + int(value)
        return totals

    async def standing(self, job_id: str) -> Standing:
        """One job with where it stands; raises NotFound."""
        raw, fields = await asyncio.gather(
            self._redis.hget(self._keys.schedule_defined(), job_id),
            self._redis.hgetall(self._keys.schedule_job(job_id)),
        )
        job = definition_of(raw) if raw else SCHEDULED_JOBS.get(job_id)
        if job is None:
            raise NotFound(f"no scheduled job {job_id!r}")
        return standing_of(job, fields)

    async def _changed(self, job_id: str, fields: Mapping[str, str]) -> JobState:
        await self.standing(job_id)
        await self._change(
            keys=[self._keys.schedule_job(job_id), self._keys.schedule_version()],
            args=[part for pair in fields.items() for part in pair],
        )
        return await self.get(job_id)


class ScheduledRuns:
    """Runs in workers' hands: begun, tried again, ended once."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._keys = keys
        self._start, self._finish = (
            client.register_script((_HERE / f"schedule_{name}.lua").read_text(encoding="utf-8"))
            for name in ("start", "finish")
        )

    async def start(
        self,
        job_id: str,
        run_id: str,
        *,
        due: datetime,
        attempt: int,
        at_work_s: float,
        status: Literal["running", "retrying"] = "running",
        error: str = "",
    ) -> bool:
        """Note that a worker has a run in hand, or will try again; False where the run is over."""
        noted = await self._start(
            keys=[
                self._keys.schedule_job(job_id),
                self._keys.schedule_runs(job_id),
                self._keys.schedule_order(job_id),
            ],
            args=[run_id, ms_of(due), status, attempt, error, int(at_work_s * 1000), RUNS_KEPT],
        )
        return bool(noted)

    async def finish(
        self,
        job_id: str,
        run_id: str,
        status: Literal["completed", "failed"],
        *,
        error: str = "",
        figures: Mapping[str, Any] | None = None,
    ) -> float | None:
        """End a run; returns how long it took in seconds, None where it had ended."""
        took_ms = await self._finish(
            keys=[
                self._keys.schedule_job(job_id),
                self._keys.schedule_runs(job_id),
                self._keys.schedule_version(),
                self._keys.schedule_hour(hour_name(datetime.now(UTC))),
            ],
            args=[run_id, status, error, orjson.dumps(figures or {}), job_id, HOUR_KEPT_S],
        )
        return None if took_ms < 0 else took_ms / 1000


def hour_name(moment: datetime) -> str:
    """The UTC hour of a moment, as the counts of runs are kept by it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")
