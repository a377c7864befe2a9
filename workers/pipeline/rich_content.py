"""Rich notifications: the keys they are encrypted to, and what is made of their content.

Delta stays the truth: a notification never carries a body, so its content spares no delta query. It proves
where the notification comes from (a token that Entra ID signed, beside the clientState), and by its ids no
look follows where the ledger knows all that it tells of. Where anything is amiss with it, it says "look now",
as a basic one does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from workers import logs, metrics
from workers.errors import PermanentError, TemporaryError
from workers.graph import rich
from workers.graph.subscriptions import ContentKey
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.store import ContentKeyPair

_log = logs.get_logger("notifications")
_PERIOD_S = 30 * 86400
# Subscriptions with content live a day and notifications are repeated for hours: one period more is plenty.
_PERIODS_KEPT = 2


async def key_for_subscriptions(context: Context) -> ContentKey | None:
    """The key that new subscriptions are to use; None where notifications are to be basic."""
    if context.settings.notifications != "rich":
        return None
    period = int(time.time() // _PERIOD_S)
    keys = context.store.content_keys
    pair = await keys.of_period(period)
    if pair is None:
        made = await asyncio.to_thread(rich.new_content_key)
        pair = await keys.add(
            period, ContentKeyPair(made.public.id, made.public.certificate, made.private_pem)
        )
        await keys.forget_before(period - _PERIODS_KEPT + 1)
        _log.info("content_key_made", period=period)
    return ContentKey(pair.id, pair.certificate)


async def take_in(
    context: Context,
    organization_id: str,
    mailbox: str,
    contents: Sequence[Mapping[str, Any]],
    validation_tokens: Sequence[str],
    *,
    owner: str,
    notified_at_ms: int,
) -> None:
    """Look at a mailbox for the encrypted contents of its notifications, unless all are known or forged."""
    organization = context.organization(organization_id)
    try:
        if not await _is_vouched_for(context, organization, validation_tokens):
            metrics.ERRORS.labels("notification_dropped", "notifications", "warning").inc(len(contents))
            _log.warning("notifications_not_vouched_for", count=len(contents))
            return
        told = await _ids_in(context, contents)
    except (TemporaryError, PermanentError) as amiss:
        metrics.ERRORS.labels("content_not_read", "notifications", "warning").inc()
        _log.warning("content_not_read", code=amiss.code, reason=str(amiss))
    else:
        known = await context.store.ledger.known(mailbox, told)
        if known.issuperset(told):
            return
    mailboxes = context.store.mailboxes
    (is_due,) = await mailboxes.want_syncs([mailbox], asker=owner)
    if is_due:
        await context.queue.sync(organization_id, mailbox, notified_at_ms=notified_at_ms)
        await mailboxes.syncs_queued([mailbox], asker=owner)


async def _is_vouched_for(context: Context, organization: Organization, tokens: Sequence[str]) -> bool:
    vouched = await context.graph.vouchers.vouched(tokens, [organization.client_id])
    # A tenant may be configured by its domain; tokens name it by its id.
    return any(
        tenant_id == organization.tenant_id.lower() or not _is_guid(organization.tenant_id)
        for tenant_id, _ in vouched
    )


async def _ids_in(context: Context, contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of the messages told of; raises PermanentError where a content cannot be read."""
    pems = await context.store.content_keys.private_pems()
    read = await asyncio.to_thread(lambda: [rich.decrypt(content, pems) for content in contents])
    return [str(content.get("id") or "") for content in read]


def _is_guid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
