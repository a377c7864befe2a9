"""Verify settings, Redis, webhooks, and each organization's Graph access and language model; say what to fix.

No mail is sent or changed. One line each: ok, note or problem. Exit code 0 without problems, else 1; 2 if the
settings themselves are wrong.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.checks.finding import Finding
    from workers.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: settings say it all."""


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; returns 1 if there is a problem."""
    from workers import logs, redis_server
    from workers.settings import load_settings

    settings = load_settings()
    logs.configure("check", level="error", form=settings.log_format)
    with redis_server.available(settings) as ready:
        return asyncio.run(_print_findings(ready))


async def _print_findings(settings: Settings) -> int:
    problems = 0
    async for finding in _findings(settings):
        print(finding, flush=True)
        problems += finding.state == "problem"
    return 1 if problems else 0


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    from workers import redis_clients
    from workers.checks.finding import ok, problem
    from workers.checks.graph_check import check_organizations
    from workers.checks.llm_check import check_language_models
    from workers.checks.outbound_check import check_outbound
    from workers.checks.redis_check import check_redis
    from workers.checks.webhook_check import check_webhook
    from workers.organizations import load_organizations

    yield ok("settings", f"data directory {settings.data_dir.absolute()}")
    organizations = load_organizations(settings.organizations)
    if len(organizations):
        mailboxes = sum(len(organization.mailboxes) for organization in organizations)
        yield ok(
            "organizations", f"{len(organizations)} with {mailboxes} mailbox(es) in {settings.organizations}"
        )
    else:
        yield problem("organizations", "none: set ECONEURA_ORGANIZATIONS to a TOML file that names yours")
    for finding in check_redis(settings):
        yield finding
    client = redis_clients.connect(settings)
    try:
        async for finding in check_organizations(settings, organizations, client):
            yield finding
        async for finding in check_language_models(settings, organizations, client):
            yield finding
    finally:
        await client.aclose()
    yield await check_webhook(settings)
    async for finding in check_outbound(settings, organizations):
        yield finding
