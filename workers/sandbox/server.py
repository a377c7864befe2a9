"""Serving the sandbox over TLS, and telling where it is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from workers.sandbox.admin import ADMIN_TOKEN, SANDBOX, TENANT_ID, add_admin_routes
from workers.sandbox.certificates import write_certificates, write_private
from workers.sandbox.directory import App
from workers.sandbox.gateway import VERSION, Gateway
from workers.sandbox.login import TOKENS, add_login_routes
from workers.sandbox.service import Sandbox

LOOPBACK = "127.0.0.1"
RUN_FILE = "sandbox.json"
_MAX_REQUEST = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """Where to serve: a directory for certificates and the run file, a port (0: any free one), an address."""

    data_dir: Path
    port: int = 0
    host: str = LOOPBACK


@asynccontextmanager
async def serving(
    sandbox: Sandbox, place: Place, mailboxes: Sequence[str], pid: int
) -> AsyncIterator[dict[str, Any]]:
    """Serve until the block ends; gives (and writes to sandbox.json) the addresses and secrets of the run."""
    place.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    run_file = place.data_dir / RUN_FILE
    run_file.unlink(missing_ok=True)
    ca_file, tls = write_certificates(place.data_dir, place.host)
    app_registration = App(sandbox.mint.guid(), sandbox.mint.guid(), secrets.token_urlsafe(24))
    sandbox.directory.add_app(app_registration)
    for address in mailboxes:
        sandbox.directory.add_mailbox(address, app_registration.tenant_id)
    admin_token = secrets.token_urlsafe(32)

    runner = web.AppRunner(
        _application(sandbox, admin_token, app_registration.tenant_id), access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    site = web.TCPSite(runner, place.host, place.port, ssl_context=tls, backlog=1024)
    await site.start()
    origin = f"https://{place.host}:{runner.addresses[0][1]}"
    run = {
        "url": f"{origin}{VERSION}",
        "login_url": origin,
        "ca_file": str(ca_file.resolve()),
        "admin_url": f"{origin}/sandbox",
        "admin_token": admin_token,
        "tenant_id": app_registration.tenant_id,
        "client_id": app_registration.client_id,
        "client_secret": app_registration.client_secret,
        "mailboxes": list(sandbox.directory.mailboxes),
        "pid": pid,
    }
    try:
        yield run
    finally:
        await asyncio.to_thread(run_file.unlink, missing_ok=True)
        await sandbox.notifier.stop()
        await runner.cleanup()


async def announce(run: dict[str, Any], place: Place) -> None:
    """Write sandbox.json (mode 0600): from now on the sandbox is ready."""
    await asyncio.to_thread(
        write_private, place.data_dir / RUN_FILE, orjson.dumps(run, option=orjson.OPT_INDENT_2)
    )


def _application(sandbox: Sandbox, admin_token: str, tenant_id: str) -> web.Application:
    app = web.Application(client_max_size=_MAX_REQUEST)
    app[SANDBOX] = sandbox
    app[TOKENS] = sandbox.tokens
    app[ADMIN_TOKEN] = admin_token
    app[TENANT_ID] = tenant_id
    add_admin_routes(app)
    app.router.add_route("*", VERSION + "/{path:.*}", Gateway(sandbox).handle)
    add_login_routes(app)
    return app
