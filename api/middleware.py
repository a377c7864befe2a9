"""What every request gets: a correlation id, the error envelope, security headers, a place in the metrics."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from multidict import CIMultiDict

from api.answered import ANSWERED
from api.envelope import refuse
from api.refusals import refusal_for
from api.wiring import DRAINING
from workers import logs, metrics

_log = logs.get_logger("api")
_CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


# aiohttp names itself and its version where this is missing.
_HEADERS = CIMultiDict({**SECURITY_HEADERS, "Server": "econeura"})


@web.middleware
async def every_request(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a request, whatever happens, in the form that all our answers have."""
    started = time.perf_counter()
    given = request.headers.get("X-Correlation-ID")
    correlation_id = given if given and _CORRELATION_ID.fullmatch(given) else logs.new_correlation_id()
    logs.begin(correlation_id)
    try:
        response = await handler(request)
    except Exception as problem:  # noqa: BLE001 the last line: even a bug is answered in the envelope
        refusal = refusal_for(problem)
        if refusal.status >= 500:
            _note_failure(request, refusal.code, problem if refusal.status == 500 else None)
        response = refuse(refusal, correlation_id)
    headers = response.headers
    if "Content-Security-Policy" in headers:
        headers.update({name: value for name, value in _HEADERS.items() if name not in headers})
    else:
        headers.update(_HEADERS)
    headers["X-Correlation-ID"] = correlation_id
    app = request.app
    if app[DRAINING].is_set():
        response.force_close()
    app[ANSWERED].note(request.method, _template(request), response.status, time.perf_counter() - started)
    return response


def _note_failure(request: web.Request, code: str, bug: Exception | None) -> None:
    metrics.ERRORS.labels(code, "api", "error").inc()
    if bug is None:
        _log.warning("request_failed", route=_template(request), code=code)
    else:
        _log.error("request_crashed", route=_template(request), exc_info=bug)


def _template(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"
