"""What a Graph answer means: its body, or the error of ours that says whether waiting helps."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from workers.errors import (
    AccessDenied,
    BadRequest,
    Conflict,
    DeltaLinkExpired,
    EconeuraError,
    MailboxUnavailable,
    NotFound,
    PermanentError,
    TemporaryError,
    Throttled,
)

# Statuses by which Graph asks us to slow down, with or without Retry-After.
SLOW_DOWN = frozenset({429, 503, 504, 509})
# 404s about the mailbox, not what is in it; they may alternate with answers (microsoft-graph-docs#10481).
_NO_MAILBOX = frozenset(
    {"mailboxnotenabledforrestapi", "errorinvaliduser", "resourcenotfound", "request_resourcenotfound"}
)
_LOST_SYNC_STATE = frozenset({"syncstatenotfound", "resyncrequired"})


@dataclass(frozen=True)
class Reply:
    """One answer of Graph, or one part of a $batch answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    pause_s: float | None = None
    """How long we decided to wait, where Graph asks us to slow down without saying how long."""

    @property
    def retry_after_s(self) -> float | None:
        asked = retry_after_of(self.headers.get("Retry-After"))
        return self.pause_s if asked is None else asked

    def json(self) -> dict[str, Any] | None:
        """The JSON object of a successful answer, None where it has no body; TemporaryError if cut short."""
        if not self.body:
            return None
        try:
            content = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise TemporaryError(
                f"Graph {self.status} with malformed JSON ({len(self.body)} bytes)"
            ) from None
        if not isinstance(content, dict):
            raise TemporaryError(f"Graph {self.status} with JSON that is no object")
        return content


def retry_after_of(value: str | None) -> float | None:
    """Seconds a Retry-After header asks for, written as a number or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def error_of(reply: Reply, call: str) -> EconeuraError:
    """The error that a refused call means; `call` names it without ids, e.g. "GET /users/{id}/messages"."""
    code = code_of(reply.body)
    text = f"Graph {reply.status} {code} for {call}"
    if request_id := reply.headers.get("request-id"):
        text += f" (request-id {request_id})"
    status = reply.status
    # Graph may say it in any of the codes, the outer ones too.
    lost_sync_state = not _LOST_SYNC_STATE.isdisjoint(one.lower() for one in codes_of(reply.body))
    if lost_sync_state or (status == 410 and "/delta" in call):
        return DeltaLinkExpired(text)
    if status == 429:
        return Throttled(text, retry_after_s=reply.retry_after_s)
    if status >= 500 or status == 408:
        return TemporaryError(text, retry_after_s=reply.retry_after_s)
    if status in (409, 412):
        return Conflict(text)
    if status == 404 and code.lower() in _NO_MAILBOX and "/users/" in call:
        return MailboxUnavailable(text)
    # Ids are encoded here, so a malformed one was never Graph's: nothing has it.
    if status in (404, 410) or code == "ErrorInvalidIdMalformed":
        return NotFound(text)
    if status in (401, 403):
        return AccessDenied(text)
    if status == 400:
        return BadRequest(text)
    return PermanentError(text)


def code_of(body: bytes) -> str:
    """The most specific error code of an error body, "" if it has none."""
    return (codes_of(body) or [""])[-1]


def codes_of(body: bytes) -> list[str]:
    """All codes of an error body, the most specific last; messages are never read."""
    try:
        error = orjson.loads(body).get("error")
    except (orjson.JSONDecodeError, AttributeError):
        return []
    codes = []
    while isinstance(error, dict):
        if isinstance(error.get("code"), str):
            codes.append(error["code"])
        # Graph writes innerError, its OpenAPI description innererror.
        error = error.get("innerError") or error.get("innererror")
    return codes
