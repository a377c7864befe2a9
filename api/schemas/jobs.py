"""Submitted jobs, and the state of the queue they wait in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.emails import JobError
from api.schemas.forms import Shown

Count = Annotated[int, Field(ge=0)]


class Progress(Shown):
    """How many messages of a bulk job have ended, well or not."""

    total: Count
    done: Count
    failed: Count


class ShownJob(Shown):
    id: str
    type: str
    organization_id: str
    status: Literal["queued", "running", "retrying", "completed", "failed"]
    attempts: Count
    created_at: str
    updated_at: str
    result: dict[str, Any] | None
    error: JobError | None
    progress: Progress | None


class OneJob(Shown):
    job: ShownJob


class Sizes(Shown):
    waiting: Count
    running: Count
    delayed: Count
    dead: Count


class PriorityStats(Sizes):
    oldest_age_seconds: Annotated[
        float, Field(ge=0, description="How long its first waiting message could have been taken.")
    ]


class QueueState(Sizes):
    """Messages in the queue now, by state, priority and type (the actor's name)."""

    workers: Annotated[int, Field(ge=0, description="Worker processes that are alive.")]
    priorities: dict[str, PriorityStats]
    types: dict[str, Sizes]


class JobStats(Shown):
    stats: QueueState
