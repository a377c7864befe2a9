"""The schedule's part of the organizations file: jobs of one's own, and other times for ours.

[jobs.health_check]                      # one of ours: any of these settings
ping_url = "https://hc.example/8e3f"
[jobs.morning_look]                      # a job of one's own: an actor of ours and its arguments
schedule = "0 7 * * 1-5"
timezone = "Europe/Madrid"
actor = "sync_mailbox"
arguments = { organization_id = "acme", mailbox = "ventas@acme.example" }
[organizations.acme.jobs.daily_reports]  # one organization's own time for a job of ours
schedule = "0 8 * * *"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from workers.cron import CronLine
from workers.errors import BadSchedule, SettingsError
from workers.jobs import SCHEDULED_JOBS, Overlap, ScheduledJob

_DEFAULT_LIMIT_S, _DEFAULT_CATCH_UP_S = 600, 3600


class JobTimes(BaseModel):
    """When a job runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: Annotated[str, Field(max_length=100)] | None = None
    timezone: str | None = None

    @model_validator(mode="after")
    def _readable(self) -> Self:
        try:
            CronLine(self.schedule or "* * * * *", self.timezone or "UTC")
        except BadSchedule as wrong:
            raise ValueError(str(wrong)) from None
        return self


class JobTable(JobTimes):
    """A `[jobs.ID]` table."""

    actor: Annotated[str, Field(pattern=r"^[a-z_]{1,64}$")] | None = None
    arguments: dict[str, Any] = {}
    name: str | None = None
    description: str | None = None
    priority: Literal["urgent", "high", "normal", "low"] | None = None
    overlap: Overlap | None = None
    time_limit_s: Annotated[int, Field(ge=1, le=86400)] | None = None
    catch_up_s: Annotated[int, Field(ge=0, le=30 * 86400)] | None = None
    jitter_s: Annotated[int, Field(ge=0, le=86400)] | None = None
    ping_url: str | None = None

    @field_validator("ping_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("must be an http or https address")
        return value.rstrip("/") if value else None


def scheduled_jobs(
    jobs: Mapping[str, JobTable], overrides: Mapping[str, Mapping[str, JobTimes]]
) -> dict[str, ScheduledJob]:
    """Every job of the schedule by id; an organization's own time makes a job named "job@organization".

    Raises SettingsError where a table names no job, or leaves out what a job of one's own needs.
    """
    _check(jobs, overrides)
    table = dict(SCHEDULED_JOBS)
    for job_id, given in jobs.items():
        chosen = given.model_dump(exclude_none=True)
        table[job_id] = replace(table.get(job_id) or _of_ones_own(job_id), **chosen)
    for organization_id, own in overrides.items():
        for job_id, times in own.items():
            shared = table[job_id]
            table[f"{job_id}@{organization_id}"] = replace(
                shared,
                id=f"{job_id}@{organization_id}",
                name=f"{shared.name} ({organization_id})",
                actor=shared.actor or job_id,
                arguments={**shared.arguments, "organization_id": organization_id},
                **times.model_dump(exclude_none=True),
            )
    return table


def _of_ones_own(job_id: str) -> ScheduledJob:
    return ScheduledJob(
        job_id, "", job_id.replace("_", " "), "Configured in the organizations file.",
        time_limit_s=_DEFAULT_LIMIT_S, catch_up_s=_DEFAULT_CATCH_UP_S,
    )  # fmt: skip


def _check(jobs: Mapping[str, JobTable], overrides: Mapping[str, Mapping[str, JobTimes]]) -> None:
    for job_id, table in jobs.items():
        if job_id in SCHEDULED_JOBS:
            if table.actor is not None:
                raise SettingsError(f"jobs.{job_id}: this job's actor cannot be replaced; choose another id")
        elif table.schedule is None or table.actor is None:
            raise SettingsError(f"jobs.{job_id}: a job of your own needs schedule and actor")
    shareable = sorted(job.id for job in SCHEDULED_JOBS.values() if job.per_organization)
    for organization_id, own in overrides.items():
        for job_id in own:
            if job_id not in shareable:
                raise SettingsError(
                    f"organizations.{organization_id}.jobs.{job_id}: only {', '.join(shareable)} "
                    "may have a time of their own"
                )
