"""One run of a scheduled job in a worker: begun, bounded in time, and ended with what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from workers import logs, metrics
from workers.errors import EconeuraError, TemporaryError
from workers.jobs import ScheduledJob
from workers.pipeline.pings import ping
from workers.store import Store

_log = logs.get_logger("schedule")
Figures = Mapping[str, Any]
# A failed try comes back within so long; until then the run still counts as at work.
_BETWEEN_TRIES_S = 60.0


@dataclass(frozen=True)
class Done:
    """What a run did, in figures. `problem` says what it could not do: it is tried again, then has failed."""

    figures: Figures
    problem: str = ""


@dataclass(frozen=True)
class RunInHand:
    """What the queue message says of a run, and how often it was tried."""

    job_id: str
    run_id: str
    due: datetime
    attempt: int
    is_last_attempt: bool


async def carry_out(store: Store, run: RunInHand, work: Callable[[], Awaitable[Done]]) -> None:
    """Do a run's work and keep what came of it; a run that is over is not done again.

    Raises TemporaryError while another attempt is left; any other failure of ours ends the run as failed.
    """
    job = (await store.schedule.standing(run.job_id)).job
    if not await _note(store, run, job, "running"):
        _log.info("run_already_over", job=run.job_id, run=run.run_id)
        return
    await ping(job.ping_url, "start")
    try:
        async with asyncio.timeout(job.time_limit_s) as limit:
            done = await work()
        if done.problem and not run.is_last_attempt:
            raise TemporaryError(done.problem)
    except TemporaryError as failed:
        if not run.is_last_attempt:
            await _note(store, run, job, "retrying", str(failed))
            raise
        await _fail(store, run, job, failed.code, str(failed))
    except TimeoutError:
        if not limit.expired():
            raise
        await _fail(store, run, job, "time_limit", f"exceeded its time limit of {job.time_limit_s} s")
    except EconeuraError as failed:
        await _fail(store, run, job, failed.code, str(failed))
    else:
        if done.problem:
            await _fail(store, run, job, "partly_done", done.problem, done.figures)
            return
        if await end(store, run.job_id, run.run_id, "completed", figures=done.figures):
            _log.info("run_completed", job=run.job_id, run=run.run_id, **_flat(done.figures))
        await ping(job.ping_url, "success")


async def end(
    store: Store,
    job_id: str,
    run_id: str,
    status: Literal["completed", "failed"],
    *,
    error: str = "",
    figures: Figures | None = None,
) -> bool:
    """End a run and count it; False where it had ended before."""
    took_s = await store.scheduled_runs.finish(job_id, run_id, status, error=error, figures=figures)
    if took_s is None:
        return False
    metrics.CRON_EXECUTED.labels(job_id, status).inc()
    metrics.CRON_DURATION.labels(job_id).observe(took_s)
    return True


async def _note(
    store: Store,
    run: RunInHand,
    job: ScheduledJob,
    status: Literal["running", "retrying"],
    error: str = "",
) -> bool:
    return await store.scheduled_runs.start(
        run.job_id,
        run.run_id,
        due=run.due,
        attempt=run.attempt,
        at_work_s=job.time_limit_s + _BETWEEN_TRIES_S,
        status=status,
        error=error,
    )


async def _fail(
    store: Store, run: RunInHand, job: ScheduledJob, code: str, error: str, figures: Figures | None = None
) -> None:
    metrics.ERRORS.labels(code, "schedule", "error").inc()
    _log.error("run_failed", job=run.job_id, run=run.run_id, error=error)
    await end(store, run.job_id, run.run_id, "failed", error=error, figures=figures)
    await ping(job.ping_url, "fail", error)


def _flat(figures: Figures) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if isinstance(value, int | float | str)}
