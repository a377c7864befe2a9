"""A scheduled job as it stands, and its runs: what the API shows and the schedulers work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

import orjson

from workers import clock
from workers.cron import CronLine
from workers.jobs import ScheduledJob
from workers.store.neighbours import known_to

RunStatus = Literal["queued", "running", "retrying", "completed", "failed", "skipped", "missed"]
_UPCOMING = 5


@dataclass(frozen=True)
class JobState:
    """A job as an operator sees it. Times are ISO 8601 UTC."""

    id: str
    name: str
    description: str
    schedule: str
    timezone: str
    enabled: bool
    last_run: str | None
    next_run: str | None
    upcoming: tuple[str, ...]
    run_count: int
    error_count: int
    skipped_count: int
    missed_count: int
    last_duration_ms: float | None
    last_error: str | None
    is_running: bool


@dataclass(frozen=True)
class Standing:
    """A job as the schedulers see it: its definition with a person's changes, and where it stands."""

    job: ScheduledJob
    enabled: bool
    version: int
    last_due: datetime | None
    requested: str
    waiting_since: datetime | None
    running: str
    running_since: datetime | None
    running_until: datetime | None
    counts: Mapping[str, int]
    last_run: datetime | None
    last_duration_ms: float | None
    last_error: str

    @property
    def line(self) -> CronLine:
        return CronLine(self.job.schedule, self.job.timezone)

    def is_at_work(self, now: datetime) -> bool:
        return bool(self.running) and self.running_until is not None and now < self.running_until

    def shown(self, now: datetime) -> JobState:
        """The operator's view at `now`."""
        upcoming = tuple(islice(self.line.after(now), _UPCOMING)) if self.enabled else ()
        return JobState(
            id=self.job.id,
            name=self.job.name,
            description=self.job.description,
            schedule=self.job.schedule,
            timezone=self.job.timezone,
            enabled=self.enabled,
            last_run=iso(self.last_run),
            next_run=iso(upcoming[0]) if upcoming else None,
            upcoming=tuple(map(_iso, upcoming)),
            run_count=self.counts["run"],
            error_count=self.counts["error"],
            skipped_count=self.counts["skipped"],
            missed_count=self.counts["missed"],
            last_duration_ms=self.last_duration_ms,
            last_error=self.last_error or None,
            is_running=self.is_at_work(now),
        )


@dataclass(frozen=True)
class Run:
    """One fire of a job and what came of it. Times are ISO 8601 UTC; `fires` counts those of a missed one."""

    id: str
    due: str
    status: RunStatus
    trigger: str
    queued_at: str | None
    started_at: str | None
    finished_at: str | None
    duration_ms: float | None
    attempts: int
    error: str | None
    figures: dict[str, Any] | None
    fires: int


def definition_of(raw: bytes) -> ScheduledJob:
    """A definition as a scheduler wrote it, perhaps one of another version of ours."""
    return ScheduledJob(**known_to(ScheduledJob, orjson.loads(raw)))


def standing_of(job: ScheduledJob, state: Mapping[bytes, bytes]) -> Standing:
    """A Standing from a definition and the fields of the job's hash."""
    text = {name.decode(): value.decode() for name, value in state.items()}
    moved = replace(
        job, schedule=text.get("schedule", job.schedule), timezone=text.get("timezone", job.timezone)
    )
    return Standing(
        job=moved,
        enabled=text.get("enabled") != "0",
        version=int(text.get("version", 0)),
        last_due=_moment(text.get("last_due")),
        requested=text.get("requested", ""),
        waiting_since=_moment(text.get("waiting")),
        running=text.get("running", ""),
        running_since=_moment(text.get("running_since")),
        running_until=_moment(text.get("running_until")),
        counts={name: int(text.get(f"{name}_count", 0)) for name in ("run", "error", "skipped", "missed")},
        last_run=_moment(text.get("last_run")),
        last_duration_ms=float(text["last_duration_ms"]) if "last_duration_ms" in text else None,
        last_error=text.get("last_error", ""),
    )


def run_of(raw: bytes) -> Run:
    """A Run from its JSON."""
    run = orjson.loads(raw)
    started, finished = run.get("started"), run.get("finished")
    return Run(
        id=run["id"],
        due=iso(_moment(run["due"])) or "",
        status=run["status"],
        trigger=run["trigger"],
        queued_at=iso(_moment(run.get("queued"))),
        started_at=iso(_moment(started)),
        finished_at=iso(_moment(finished)),
        duration_ms=finished - started if started and finished else None,
        attempts=int(run.get("attempts", 0)),
        error=run.get("error") or None,
        figures=orjson.loads(run["figures"]) if run.get("figures") else None,
        fires=int(run.get("fires", 1)),
    )


def ms_of(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def iso(moment: datetime | None) -> str | None:
    return None if moment is None else _iso(moment)


def _iso(moment: datetime) -> str:
    return clock.written(moment)


def _moment(ms: str | float | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(float(ms) / 1000, UTC)
