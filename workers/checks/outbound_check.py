"""Whether each organization's own webhooks can be told: the secret, and where the address leads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from workers.checks.finding import Finding, ok, problem
from workers.errors import SettingsError
from workers.organizations import Organizations, Webhook
from workers.settings import Settings
from workers.webhooks.addresses import may_connect
from workers.webhooks.signing import key_of

_LIMIT_S = 5.0


async def check_outbound(settings: Settings, organizations: Organizations) -> AsyncIterator[Finding]:
    """Findings on every webhook; nothing is sent to any."""
    for organization in organizations:
        for name, webhook in organization.webhooks.items():
            subject = f"webhook {organization.id}/{name}"
            wrong = _secret_problem(organizations, webhook) or await _address_problem(settings, webhook)
            if wrong:
                yield problem(subject, wrong)
            else:
                yield ok(subject, f"{webhook.host} may be told, and its secret can be used")


def _secret_problem(organizations: Organizations, webhook: Webhook) -> str:
    try:
        for secret in organizations.webhook_secrets(webhook):
            key_of(secret)
    except SettingsError as wrong:
        return str(wrong)
    return ""


async def _address_problem(settings: Settings, webhook: Webhook) -> str:
    parts = urlsplit(webhook.url)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_LIMIT_S):
            found = await loop.getaddrinfo(
                parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM
            )
    except (OSError, TimeoutError):
        return f"{webhook.host} cannot be found: correct its url, or the name server"
    places = {str(address[0]).partition("%")[0] for *_, address in found}
    networks, also_public = settings.webhook_networks, parts.scheme == "https"
    if any(may_connect(ip_address(place), networks, also_public=also_public) for place in places):
        return ""
    return (
        f"{webhook.host} leads to {', '.join(sorted(places))}: name the network in ECONEURA_WEBHOOK_NETWORKS "
        "if that is meant so (public addresses need https)"
    )
