"""The audit log: who changed what."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from api.schemas.forms import Given, OrganizationId, Shown


class AuditQuery(Given):
    organization_id: OrganizationId | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}-[0-9]{1,15}$")] | None = None


class ShownChange(Shown):
    """A change. `by`: `key:ID`, `entra:ID`, `cli:USER/HOST`, `local` while no key exists, or `brake`."""

    id: Annotated[str, Field(examples=["1795339800000-0"])]
    at: str
    what: Annotated[str, Field(examples=["organization.paused"])]
    by: Annotated[str, Field(examples=["key:1f0c2a9b44e1"])]
    organization_id: str | None
    target: Annotated[str | None, Field(description="The id of what was changed.")]
    details: dict[str, str | int | float | bool | None]
    correlation_id: str


class AuditPage(Shown):
    changes: list[ShownChange]
    count: int
    next: Annotated[str | None, Field(description="Cursor of the next page; null on the last one.")]
