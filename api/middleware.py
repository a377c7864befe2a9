"""What every request gets: a correlation id, a rate, the error envelope, headers, a place in the metrics."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from api.answered import ANSWERED
from api.cors import CORS
from api.envelope import refuse
from api.headers import HEADERS
from api.load import LOAD, Shed
from api.lookout import LOOKOUT
from api.origins import ORIGINS
from api.rates import LIMITS, SPENDING
from api.refusals import Refusal, refusal_for
from api.targets import require_plain_target
from api.traced import correlation_id_of
from api.wiring import DRAINING
from workers import logs, metrics

_log = logs.get_logger("api")


@web.middleware
async def every_request(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a request, whatever happens, in the form that all our answers have."""
    started = time.perf_counter()
    app, route = request.app, _template(request)
    correlation_id = correlation_id_of(request.headers)
    logs.begin(correlation_id)
    request[SPENDING] = None
    load, cors = app[LOAD], app[CORS]
    load.in_hand += 1
    try:
        require_plain_target(request)
        load.admit(request.method, route)
        if (limit := app[LIMITS].of_route(route)) is not None:
            who = app[ORIGINS].address_of(request)
            request[SPENDING] = limit.spend_at_hand(who) or await limit.spend(who)
        asked_first = None if cors is None else cors.preflight(request)
        response = asked_first or await handler(request)
    except Exception as problem:  # noqa: BLE001 the last line: even a bug is answered in the envelope
        refusal = refusal_for(problem)
        if refusal.status >= 500:
            _note_failure(app, route, refusal, problem)
        response = refuse(refusal, correlation_id)
    finally:
        load.in_hand -= 1
    app[HEADERS].add_to(response, request)
    if cors is not None:
        cors.add_to(response, request)
    response.headers["X-Correlation-ID"] = correlation_id
    if app[DRAINING].is_set():
        response.force_close()
    app[ANSWERED].note(request.method, route, response.status, time.perf_counter() - started)
    return response


def _note_failure(app: web.Application, route: str, refusal: Refusal, problem: Exception) -> None:
    metrics.ERRORS.labels(refusal.code, "api", "error").inc()
    if isinstance(refusal, Shed):
        return
    if refusal.status == 500:
        _log.error("request_crashed", route=route, exc_info=problem)
        return
    app[LOOKOUT].doubt()
    _log.warning("request_failed", route=route, code=refusal.code)


def _template(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"
