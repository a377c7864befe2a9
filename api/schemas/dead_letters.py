"""Dead letters: messages that nobody will run any more, and why."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.schemas.forms import Given, OrganizationId, Shown

_Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Seconds = Annotated[int, Field(ge=0, le=10_000_000_000)]


class DeadLetterFilter(Given):
    """What must hold for all of them; what is left out holds for any. Ages since death."""

    actor: Annotated[_Name | None, Field(examples=["process_email"])] = None
    reason: Annotated[_Name | None, Field(examples=["access_denied"])] = None
    organization_id: OrganizationId | None = None
    older_than_seconds: _Seconds | None = None
    younger_than_seconds: _Seconds | None = None


class DeadLettersQuery(DeadLetterFilter):
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}(-[0-9]{1,4})?$")] | None = None


class Retry(Given):
    """Which to send again. Look first: `dryRun` counts without doing."""

    filter: DeadLetterFilter = DeadLetterFilter()
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    dry_run: bool = False


class Purge(DeadLetterFilter):
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    dry_run: bool = False


class ShownDeadLetter(Shown):
    """`arguments` are ids only, never text of a message."""

    id: str
    actor: str
    priority: str
    reason: str
    error: str
    traceback: str
    attempts: int
    organization_id: str | None
    died_at: str | None
    sent_at: str | None
    arguments: dict[str, Any]
    correlation_id: str | None


class DeadLetterPage(Shown):
    dead_letters: list[ShownDeadLetter]
    count: Annotated[int, Field(description="How many are in this page.")]
    next: str | None


class Retried(Shown):
    id: str
    status: Literal["queued"]


class RetriedMany(Shown):
    retried: int
    dry_run: bool


class Purged(Shown):
    id: str
    deleted: Literal[True]


class PurgedMany(Shown):
    deleted: int
    dry_run: bool
