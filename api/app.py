"""The HTTP server: all of its wiring, and its life from start to drained end."""

from __future__ import annotations

import asyncio

import uvloop
from aiohttp import web

from api import serving, wiring
from api.access import Access, require_safe_start
from api.answered import count_answers
from api.audit import AUDIT, audited
from api.cors import CORS, Cors
from api.cron import CRON
from api.dead_letters import DEAD_LETTERS
from api.directory import Directory
from api.docs import DOCS
from api.dropped import DROPPED, Dropped
from api.emails import EMAILS
from api.entra import EntraTokens
from api.exports import EXPORTS
from api.feedback import FEEDBACK
from api.headers import HEADERS, Headers, leave_unsigned
from api.health import HEALTH
from api.idempotency import answered_once
from api.jobs import JOBS
from api.keyring import Keyring
from api.listen import LISTEN
from api.load import LOAD, Load
from api.mailboxes import MAILBOXES
from api.metrics_page import METRICS
from api.middleware import every_request
from api.organizations import ORGANIZATIONS
from api.origins import ORIGINS, Origins
from api.patience import PATIENCE, Patience
from api.receiving import BODY_LIMIT_BYTES, ROOM, Room
from api.reports import REPORTS
from api.routes import Route
from api.routing import pattern_of
from api.subscriptions import SUBSCRIPTIONS
from api.traced import traced
from api.webhooks import WEBHOOKS
from workers import tracing
from workers.settings import Settings

RESOURCES = (
    EMAILS,
    FEEDBACK,
    JOBS,
    LISTEN,
    MAILBOXES,
    SUBSCRIPTIONS,
    ORGANIZATIONS,
    WEBHOOKS,
    CRON,
    DEAD_LETTERS,
    REPORTS,
    EXPORTS,
    AUDIT,
    HEALTH,
    METRICS,
    DOCS,
)
ROUTE_TABLE: tuple[Route, ...] = tuple(route for resource in RESOURCES for route in resource.all)


def create_app(settings: Settings, *, patience: Patience | None = None) -> web.Application:
    """The application; raises SettingsError where the organizations file or the bootstrap key is wrong."""
    access = Access(settings)
    app = web.Application(
        middlewares=[traced, every_request] if tracing.is_on() else [every_request],
        client_max_size=BODY_LIMIT_BYTES,
    )
    app[wiring.SETTINGS] = settings
    app[wiring.ROUTE_TABLE] = ROUTE_TABLE
    app[wiring.DIRECTORY] = Directory(settings)
    app[wiring.KEYRING] = Keyring(settings)
    app[wiring.ENTRA] = EntraTokens.configured(settings)
    app[wiring.DRAINING] = asyncio.Event()
    app[ROOM] = Room()
    app[PATIENCE] = patience or Patience()
    app[DROPPED] = Dropped()
    app[LOAD] = Load(ROUTE_TABLE, settings)
    app[ORIGINS] = Origins(settings)
    app[HEADERS] = Headers(app[ORIGINS])
    app[CORS] = Cors.configured(settings)
    app.cleanup_ctx.extend(
        (
            count_answers,
            wiring.open_store,
            wiring.look_out,
            wiring.open_keyring,
            wiring.open_entra,
            wiring.open_waiting,
            wiring.open_queue,
            wiring.open_graph,
        )
    )
    app.on_startup.append(_require_safe_start)
    app.on_response_prepare.append(leave_unsigned)
    paths = {route.path for route in ROUTE_TABLE}
    for route in ROUTE_TABLE:
        handler = audited(route)
        if route.is_repeatable:
            handler = answered_once(handler)
        app.router.add_route(route.method, pattern_of(route.path, paths), access.guarded(route, handler))
    return app


async def _require_safe_start(app: web.Application) -> None:
    require_safe_start(app[wiring.SETTINGS], app[wiring.KEYRING])


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is open and return.

    Raises SettingsError, also where the address would be open to anybody (TemporaryError: cannot tell).
    """
    app = create_app(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving.serve(app, settings))
