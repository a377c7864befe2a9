"""Our Graph client talking to a sandbox, as a process of ours would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import redis.asyncio

from tests.sandbox_process import SandboxProcess
from workers.graph.client import Graph, GraphSession
from workers.organizations import Organizations, load_organizations
from workers.settings import Settings

ORGANIZATION = "acme"


def settings_for(sandbox: SandboxProcess, **changes: Any) -> Settings:
    """Settings that lead to the sandbox."""
    run = sandbox.run
    addresses = {"graph_url": run["url"], "login_url": run["login_url"], "ca_file": Path(run["ca_file"])}
    return Settings(**{**addresses, "graph_timeout_s": 10.0, **changes})


def organizations_for(
    sandbox: SandboxProcess,
    directory: Path,
    mailboxes: Sequence[str] = ("soporte@acme.example",),
    **changes: str,
) -> Organizations:
    """One organization with the run's app, or another `tenant_id`, `client_id`, `secret`, `certificate`."""
    run = {**sandbox.run, **changes}
    credential = directory / "credential"
    kind = "certificate" if "certificate" in changes else "client_secret"
    credential.write_text(changes.get("certificate") or changes.get("secret") or run["client_secret"])
    file = directory / "organizations.toml"
    file.write_text(
        f"[organizations.{ORGANIZATION}]\n"
        f'tenant_id = "{run["tenant_id"]}"\n'
        f'client_id = "{run["client_id"]}"\n'
        f'{kind} = "file:{credential}"\n'
        f"mailboxes = {list(mailboxes)!r}\n"
    )
    return load_organizations(file)


@asynccontextmanager
async def graph_session(
    sandbox: SandboxProcess, redis_url: str, organizations: Organizations, **changes: Any
) -> AsyncIterator[GraphSession]:
    """A process' session; several at once stand for several processes."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(redis_url, max_connections=16, socket_timeout=5)
    client = redis.asyncio.Redis(connection_pool=pool)
    async with GraphSession.open(settings_for(sandbox, **changes), organizations, client) as session:
        yield session
    await client.aclose()
    await pool.disconnect()


@asynccontextmanager
async def graph_of(
    sandbox: SandboxProcess, redis_url: str, directory: Path, **changes: Any
) -> AsyncIterator[Graph]:
    """The run's organization's Graph."""
    async with graph_session(sandbox, redis_url, organizations_for(sandbox, directory), **changes) as session:
        yield session.of(ORGANIZATION)
