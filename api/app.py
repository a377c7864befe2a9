"""The HTTP server: all of its wiring, and its life from start to drained end."""

from __future__ import annotations

import asyncio

import uvloop
from aiohttp import web

from api import serving, wiring
from api.access import Access
from api.bodies import BODY_LIMIT_BYTES
from api.cron import CRON
from api.dead_letters import DEAD_LETTERS
from api.directory import Directory
from api.docs import DOCS
from api.emails import EMAILS
from api.health import HEALTH
from api.jobs import JOBS
from api.listen import LISTEN
from api.mailboxes import MAILBOXES
from api.metrics_page import METRICS
from api.middleware import every_request
from api.organizations import ORGANIZATIONS
from api.reports import REPORTS
from api.routes import Route
from api.subscriptions import SUBSCRIPTIONS
from workers.settings import Settings

RESOURCES = (
    EMAILS,
    JOBS,
    LISTEN,
    MAILBOXES,
    SUBSCRIPTIONS,
    ORGANIZATIONS,
    CRON,
    DEAD_LETTERS,
    REPORTS,
    HEALTH,
    METRICS,
    DOCS,
)
ROUTE_TABLE: tuple[Route, ...] = tuple(route for resource in RESOURCES for route in resource.all)


def create_app(settings: Settings) -> web.Application:
    """The application; raises SettingsError where it would not be safe or the organizations file is wrong."""
    access = Access(settings)
    app = web.Application(middlewares=[every_request], client_max_size=BODY_LIMIT_BYTES)
    app[wiring.SETTINGS] = settings
    app[wiring.ROUTE_TABLE] = ROUTE_TABLE
    app[wiring.DIRECTORY] = Directory(settings)
    app[wiring.DRAINING] = asyncio.Event()
    app.cleanup_ctx.extend((wiring.open_store, wiring.open_waiting, wiring.open_queue, wiring.open_graph))
    for route in ROUTE_TABLE:
        app.router.add_route(route.method, route.path, access.guarded(route))
    return app


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is open and return. Raises SettingsError."""
    app = create_app(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving.serve(app, settings))
