"""Each organization at Graph: its token, its certificate's end, its subscriptions, its mailboxes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from workers import metrics
from workers.errors import EconeuraError, SettingsError
from workers.health.part import Part
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.store import Subscription

_AT_ONCE = 32
# Many organizations may share a login that is down: the look at them all must end within its minute.
_TOKEN_S = 5.0
_DAY_S = 86400.0
_SUBSCRIPTION_ENDS_SOON_S = _DAY_S / 2
_CERTIFICATE_ENDS_SOON_DAYS = 30


async def look_at_graph(context: Context) -> Part:
    """One organization's trouble degrades the whole, and is named."""
    part = Part(figures={"organizations": {}})
    subscriptions = await context.store.subscriptions.all()
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def look(organization: Organization) -> None:
        async with at_once:
            one = await _look_at(context, organization, subscriptions)
        part.figures["organizations"][organization.id] = one.to_json()
        for reason in one.reasons:
            part.warn(f"{organization.id}: {reason}")

    await asyncio.gather(*(look(organization) for organization in context.organizations))
    return part


async def _look_at(
    context: Context, organization: Organization, subscriptions: Sequence[Subscription]
) -> Part:
    part = Part()
    await _judge_token(context, organization, part)
    _judge_certificate(context, organization, part)
    _judge_subscriptions(
        organization, [one for one in subscriptions if one.organization_id == organization.id], part
    )
    await _judge_mailboxes(context, organization, part)
    unfinished = await context.store.unfinished.count(organization.id)
    metrics.UNACCOUNTED.labels(organization.id).set(unfinished)
    part.figures["unfinished"] = unfinished
    return part


async def _judge_token(context: Context, organization: Organization, part: Part) -> None:
    try:
        async with asyncio.timeout(_TOKEN_S):
            await context.graph_of(organization.id).transport.tokens.token()
    except TimeoutError:
        part.fail(f"no token: the login did not answer within {_TOKEN_S:.0f} s")
    except EconeuraError as refused:
        part.fail(f"no token: {refused.code}")


def _judge_certificate(context: Context, organization: Organization, part: Part) -> None:
    """How long a secret lives is not to be seen from here; a certificate says it itself."""
    if organization.certificate is None:
        return
    try:
        pem = context.organizations.credential(organization).certificate_pem or ""
        ends_at = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    except (SettingsError, ValueError):
        part.fail("its certificate cannot be read")
        return
    days_left = (ends_at - datetime.now(UTC)).days
    part.figures["certificateDaysLeft"] = days_left
    if days_left < _CERTIFICATE_ENDS_SOON_DAYS:
        part.warn(f"its certificate ends in {days_left} days")


def _judge_subscriptions(organization: Organization, ours: Sequence[Subscription], part: Part) -> None:
    now = datetime.now(UTC)
    left_s = [(datetime.fromisoformat(one.expires_at) - now).total_seconds() for one in ours]
    part.figures["subscriptions"] = len(ours)
    if not left_s:
        return
    part.figures["subscriptionSecondsLeft"] = round(min(left_s))
    metrics.SUBSCRIPTION_SECONDS_LEFT.labels(organization.id).set(min(left_s))
    if min(left_s) < _SUBSCRIPTION_ENDS_SOON_S:
        part.warn("a subscription is about to end and was not renewed")
    if broken := sum(one.health != "ok" for one in ours):
        part.warn(f"{broken} subscription(s) could not be kept")


async def _judge_mailboxes(context: Context, organization: Organization, part: Part) -> None:
    places = [(mailbox, folder) for mailbox in organization.mailboxes for folder in organization.folders]
    states = await context.store.mailboxes.read_many(places)
    errors: Counter[str] = Counter(state.error for state in states if state.error)
    figures: dict[str, Any] = {"folders": len(places), "foldersFailing": errors.total()}
    part.figures |= figures
    for code, count in errors.items():
        part.warn(f"{count} folder(s) cannot be read: {code}")
    alone = Counter(state.subscription_error for state in states if state.subscription_error)
    part.figures["foldersByTimerAlone"] = alone.total()
    for code, count in alone.items():
        part.warn(f"{count} folder(s) are looked at by the timer alone, no subscription: {code}")
