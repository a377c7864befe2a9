"""The form of every JSON answer: {success, data, error, timestamp}, and what errors add to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel

from api.refusals import Refusal
from workers import clock

JSON = "application/json; charset=utf-8"


def timestamp() -> str:
    """Now, as ISO 8601 UTC with milliseconds."""
    return clock.now_text()


def moment(at_ms: float) -> str | None:
    """Milliseconds since 1970 in the same form; None for 0, which stands for never."""
    return clock.written(datetime.fromtimestamp(at_ms / 1000, UTC)) if at_ms else None


def answer(
    data: dict[str, Any] | BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A success."""
    content = data if isinstance(data, dict) else data.model_dump(mode="json", by_alias=True)
    body = orjson.dumps({"success": True, "data": content, "error": None, "timestamp": timestamp()})
    return web.Response(body=body, status=status, headers={"Content-Type": JSON, **(headers or {})})


def refuse(refusal: Refusal, correlation_id: str, *, data: Mapping[str, Any] | None = None) -> web.Response:
    """An error."""
    body = orjson.dumps(
        {
            "success": False,
            "data": data,
            "error": str(refusal),
            "timestamp": timestamp(),
            "code": refusal.code,
            "details": [{"field": detail.field, "reason": detail.reason} for detail in refusal.details],
            "correlationId": correlation_id,
        }
    )
    response = web.Response(
        body=body, status=refusal.status, headers={"Content-Type": JSON, **refusal.headers}
    )
    if refusal.headers.get("Connection") == "close":
        response.force_close()
    return response
