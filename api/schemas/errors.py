"""The form of every error."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.forms import Shown


class FieldProblem(Shown):
    """What is wrong with which field (dotted; empty for the whole request)."""

    field: str
    reason: str


class Refused(Shown):
    """The form of every error. `code` is stable; `correlation_id` finds the request in the logs."""

    success: Literal[False]
    data: Annotated[dict[str, Any] | None, Field(description="Null, but for /health.")]
    error: str
    timestamp: str
    code: str
    details: list[FieldProblem]
    correlation_id: str
