"""A server's life: listen, serve, and drain without cutting anybody off."""

from __future__ import annotations

import asyncio
import gc
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from api.background import beside
from api.connection import Connection
from api.connections import Connections, allow_many_files
from api.patience import PATIENCE, Patience
from api.wiring import DIRECTORY, DRAINING, WAITING
from workers import lifeline, logs, vitals
from workers.errors import SettingsError
from workers.settings import Settings

_log = logs.get_logger("api")
_BACKLOG = 1024
# Objects in hand before garbage is looked for, and how many such looks before a longer one: requests make and
# drop many at once, and next to no cycles.
_GARBAGE = (20_000, 20, 20)
# What is kept of the grace for closing Redis and Graph after the last answer.
_CLOSING_S = 2.0
# How long a client that keeps its connection open may take to send its next, and last, request over it.
_GOODBYE_S = 1.0


async def serve(app: web.Application, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reads the organizations again. Raises SettingsError."""
    allow_many_files()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, app[DIRECTORY].reload)
    lifeline.hear_hangups()
    async with listening(app, settings) as listener:
        # What is there now stays: looking through it for garbage would hold up all requests, again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        with vitals.reported("api", {"http": listener.count_connections}):
            await stop.wait()


class Listener:
    """A listening server."""

    def __init__(self, server: web.Server, sockets: asyncio.Server, settings: Settings) -> None:
        self._server = server
        self._sockets = sockets
        scheme = "http" if settings.tls_cert_file is None else "https"
        host, self.port = sockets.sockets[0].getsockname()[:2]
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def count_connections(self) -> int:
        return len(self._server.connections)

    async def say_goodbye(self) -> None:
        """Take no new connection, and let those kept alive end with an answer that says so.

        A connection closed in silence could lose the request that its client just sent.
        """
        self._sockets.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _GOODBYE_S
        while self.count_connections() and loop.time() < deadline:  # noqa: ASYNC110 aiohttp tells nobody
            await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(app: web.Application, settings: Settings) -> AsyncIterator[Listener]:
    """The application on HOST and PORT (0: a free one); drained at the end. Raises SettingsError."""
    drain_s = max(1.0, settings.shutdown_grace_s - _GOODBYE_S - _CLOSING_S)
    runner = web.AppRunner(app, shutdown_timeout=drain_s)
    try:
        await runner.setup()
        server = runner.server
        if server is None:
            raise RuntimeError("the application did not start")
        connections = Connections(settings.api_connections)
        listener = Listener(server, await _bind(server, settings, connections, app[PATIENCE]), settings)
        async with beside(connections.follow()):
            _log.info("listening", url=listener.url)
            yield listener
            _log.info("draining", connections=listener.count_connections())
            app[DRAINING].set()
            app[WAITING].send_home()
            await listener.say_goodbye()
    finally:
        await runner.cleanup()


async def _bind(
    server: web.Server, settings: Settings, connections: Connections, patience: Patience
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    tls = _tls(settings)
    try:
        return await loop.create_server(
            lambda: Connection(server, loop, connections, patience),
            settings.host,
            settings.port,
            backlog=_BACKLOG,
            reuse_port=settings.api_processes > 1,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else patience.handshake_s,
        )
    except OSError as refused:
        raise SettingsError(
            f"HOST, PORT: cannot listen on {settings.host}:{settings.port}: {refused.strerror}"
        ) from None


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    except (OSError, ssl.SSLError) as unusable:
        raise SettingsError(f"ECONEURA_TLS_CERT_FILE, ECONEURA_TLS_KEY_FILE: {unusable}") from None
    return context
