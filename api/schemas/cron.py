"""The schedule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.forms import Given, Shown


class NewSchedule(Given):
    """When a job is to run: standard cron (0 and 7 are Sunday) in a timezone."""

    schedule: Annotated[str, Field(min_length=1, max_length=100, examples=["*/10 * * * *"])]
    timezone: Annotated[str | None, Field(min_length=1, max_length=64, examples=["Europe/Madrid"])] = None


class RunsQuery(Given):
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class CronJob(Shown):
    """A scheduled job. Times are ISO 8601 UTC; `upcoming` are its next five fires.

    A fire is skipped while the former run is still at work, and missed when no scheduler was there in time.
    """

    id: str
    name: str
    description: str
    schedule: str
    timezone: str
    enabled: bool
    is_running: bool
    last_run: str | None
    next_run: str | None
    upcoming: list[str]
    run_count: int
    error_count: int
    skipped_count: int
    missed_count: int
    last_duration_ms: float | None
    last_error: str | None


class CronJobs(Shown):
    jobs: list[CronJob]
    count: int


class OneCronJob(Shown):
    job: CronJob


class CronRun(Shown):
    """A run. `due`: the time it was to be at; `fires`: how many fires a catch-up or a miss stands for."""

    id: str
    due: str
    status: Literal["queued", "running", "retrying", "completed", "failed", "skipped", "missed"]
    trigger: str
    queued_at: str | None
    started_at: str | None
    finished_at: str | None
    duration_ms: float | None
    attempts: int
    error: str | None
    figures: dict[str, Any] | None
    fires: int


class CronRuns(Shown):
    runs: list[CronRun]
    count: int


class CronTotals(Shown):
    total: int
    enabled: int
    disabled: int
    total_runs: int
    total_errors: int
    total_skipped: int
    total_missed: int


class CronStats(Shown):
    stats: CronTotals
