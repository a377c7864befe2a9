"""What a caller is told when a request cannot be served: one exception, turned into the error envelope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import redis
from aiohttp import web
from pydantic import ValidationError
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from workers.errors import EconeuraError, NotFound, PermanentError, QueueUnavailable, TemporaryError


@dataclass(frozen=True)
class Detail:
    """One thing wrong with a request: which field (dotted, "" for the whole), and why."""

    field: str
    reason: str


class Refusal(EconeuraError):
    """The request is answered with this status, code and text; all of it may be shown to anybody."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.details = tuple(details)
        self.headers = dict(headers or {})


def invalid(field: str, reason: str) -> Refusal:
    """422 for one field."""
    return Refusal(422, "validation", f"{field}: {reason}", details=[Detail(field, reason)])


def invalid_fields(problem: ValidationError) -> Refusal:
    """422 that names every field pydantic found wrong, without repeating what was sent."""
    details = []
    for error in problem.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join(str(part) for part in error["loc"])
        reason = "unknown field" if error["type"] == "extra_forbidden" else error["msg"]
        details.append(Detail(field[:200], reason.removeprefix("Value error, ")))
    first = details[0]
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return Refusal(422, "validation", f"{first.field or 'body'}: {first.reason}{more}", details=details[:20])


def unknown_organization(organization_id: str) -> Refusal:
    return Refusal(
        404,
        "unknown_organization",
        f"no organization {organization_id!r} is configured",
        details=[Detail("organizationId", "not configured")],
    )


def not_found(what: str) -> Refusal:
    return Refusal(404, "not_found", what)


def unavailable(code: str, message: str, *, retry_after_s: float = 1.0) -> Refusal:
    """503: nothing was stored; the same request may be sent again after so many seconds."""
    return Refusal(503, code, message, headers={"Retry-After": str(max(1, round(retry_after_s)))})


def refusal_for(problem: Exception) -> Refusal:
    """What the caller is told about any exception; a bug of ours shows nothing of itself."""
    match problem:
        case Refusal():
            return problem
        case web.HTTPException():
            return _of_router(problem)
        case (
            QueueUnavailable()
            | redis.ConnectionError()
            | redis.TimeoutError()
            | TimeoutError()
            | ReadOnlyError()
            | OutOfMemoryError()
        ):
            return unavailable("queue_unavailable", "the queue takes nothing now: try again")
        case TemporaryError():
            return unavailable(problem.code, str(problem), retry_after_s=problem.retry_after_s or 5.0)
        case NotFound():
            return not_found(str(problem))
        case PermanentError():
            return Refusal(502, problem.code, str(problem))
        case web.RequestPayloadError() | ConnectionError():
            return Refusal(400, "incomplete_request", "the request body broke off or is malformed")
        case _:
            return Refusal(500, "internal", "internal error; the log has it under this correlation id")


def _of_router(problem: web.HTTPException) -> Refusal:
    if problem.status == 405:
        return Refusal(
            405,
            "method_not_allowed",
            "not a method of this route",
            headers={"Allow": problem.headers["Allow"]},
        )
    if problem.status == 404:
        return not_found("no such route")
    return Refusal(problem.status, "http", problem.reason)
