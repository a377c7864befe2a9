"""Requests in traces: the correlation id that a caller's trace gives, and a span where tracing is on."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from workers import logs, tracing

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def correlation_id_of(headers: Mapping[str, str]) -> str:
    """The caller's: X-Correlation-ID, else the trace id of its traceparent; else one of our own."""
    given = headers.get("X-Correlation-ID")
    if given and _CORRELATION_ID.fullmatch(given):
        return given
    parent = headers.get("traceparent") or tracing.traceparent()
    return tracing.trace_id_of(parent) or logs.new_correlation_id()


@web.middleware
async def traced(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A span for each request, below the caller's. Only where tracing is on is this among the middlewares."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unmatched"
    parent = request.headers.get("traceparent")
    about = {"http.request.method": request.method, "http.route": route, "url.scheme": request.scheme}
    with tracing.span(f"{request.method} {route}", "server", parent=parent, attributes=about) as work:
        response = await handler(request)
        named = response.headers.get("X-Correlation-ID", "")
        tracing.note(work, {"http.response.status_code": response.status, "econeura.correlation_id": named})
        if response.status >= 500:
            tracing.note_failure(work, str(response.status))
        return response
