"""The watch over the schedule: jobs that should have run, runs that do not end, schedulers that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from workers.health.part import Part
from workers.store.job_state import Standing

# A scheduler that is paused or dead for no longer is made up for by the others.
_GONE_S = 10.0
_LATE = timedelta(seconds=90)
_OVERRUN = timedelta(seconds=90)


def look_at_schedulers(silent_s: Mapping[str, float]) -> Part:
    """Who gives signs of life; one that stopped in good order has signed off and is not missed."""
    gone = sorted(name for name, seconds in silent_s.items() if seconds > _GONE_S)
    part = Part(figures={"alive": len(silent_s) - len(gone), "gone": gone})
    if gone and part.figures["alive"]:
        part.warn(f"{len(gone)} scheduler(s) gave no sign of life: {', '.join(gone)}")
    elif not part.figures["alive"]:
        part.fail("no scheduler is alive: nothing runs by itself")
    return part


def look_at_schedule(standings: Iterable[Standing], now: datetime, *, asking: str) -> Part:
    """Every enabled job against its times. `asking` is the job that asks, which is at work of course."""
    part = Part()
    late, overdue, failed = [], [], []
    for standing in standings:
        if _is_late(standing, now):
            late.append(standing.job.id)
        if standing.job.id != asking and _is_overdue(standing, now):
            overdue.append(standing.job.id)
        if standing.last_error:
            failed.append(standing.job.id)
    part.figures |= {"late": late, "overdue": overdue, "failed": failed}
    for job_id in late:
        part.warn(f"job {job_id} should have run and did not")
    for job_id in overdue:
        part.warn(f"job {job_id} has not ended within its time limit")
    for job_id in failed:
        part.warn(f"job {job_id} failed the last time")
    return part


def _is_late(standing: Standing, now: datetime) -> bool:
    if not standing.enabled or standing.last_due is None:
        return False
    due = standing.line.next_after(standing.last_due)
    return due is not None and due + timedelta(seconds=standing.job.jitter_s) + _LATE < now


def _is_overdue(standing: Standing, now: datetime) -> bool:
    limit = timedelta(seconds=standing.job.time_limit_s) + _OVERRUN
    return standing.running_since is not None and standing.running_since + limit < now
