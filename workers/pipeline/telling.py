"""Tells a webhook of an event: once where that can be known, always under the same id, and into the log."""

from __future__ import annotations

import time

from workers import clock, logs, metrics
from workers.errors import SettingsError, TemporaryError
from workers.organizations import Webhook
from workers.pipeline.context import Context
from workers.store import Delivery
from workers.store.webhooks import Status
from workers.webhooks.event import Event
from workers.webhooks.sender import Sender, Told
from workers.webhooks.signing import key_of, signed_headers

_log = logs.get_logger("webhooks")


async def tell(
    context: Context,
    sender: Sender,
    name: str,
    event: Event,
    *,
    attempt: int,
    is_last_attempt: bool,
    at_least_s: float,
    again: bool = False,
) -> None:
    """One try to tell the webhook of this name. Told before, it is not told again unless `again` is set.

    Raises TemporaryError, to be tried again in `at_least_s` or when the webhook wishes, and Busy.
    """
    organization = context.organizations.get(event.organization_id)
    webhook = organization.webhooks.get(name) if organization is not None else None
    if webhook is None:
        _log.info("webhook_gone", webhook=name, eventId=event.id)
        return
    known = await context.store.webhooks.delivery(event.organization_id, name, event.id)
    if known is not None and known.status == "delivered" and not again:
        _log.info("webhook_told_before", webhook=name, eventId=event.id)
        return
    told = await _send(context, sender, name, webhook, event)
    status: Status = "delivered" if not told.problem else "failed" if is_last_attempt else "retrying"
    await context.store.webhooks.log(
        event.organization_id, name, _delivery(event, status, told, attempt=attempt)
    )
    metrics.WEBHOOK_DELIVERIES.labels(event.type, status, event.organization_id).inc()
    _log.info(
        "webhook_told", webhook=name, eventId=event.id, status=status, attempt=attempt, problem=told.problem
    )
    if told.problem:
        raise TemporaryError(
            f"webhook {name}: {told.problem}",
            retry_after_s=max(at_least_s, told.retry_after_s or 0.0),
            code="webhook_failed",
        )


async def _send(context: Context, sender: Sender, name: str, webhook: Webhook, event: Event) -> Told:
    try:
        keys = [key_of(secret) for secret in context.organizations.webhook_secrets(webhook)]
    except SettingsError as wrong:
        return Told(0, f"not sent, as its secret cannot be used: {wrong}", 0)
    body = event.body()
    headers = signed_headers(keys, event.id, int(time.time()), body)
    return await sender.post((event.organization_id, name), webhook.url, headers, body)


def _delivery(event: Event, status: Status, told: Told, *, attempt: int) -> Delivery:
    return Delivery(
        id=event.id,
        type=event.type,
        at=event.at,
        status=status,
        attempts=attempt,
        status_code=told.status,
        error=told.problem,
        duration_ms=told.duration_ms,
        tried_at=clock.now_text(),
        data=event.data,
    )
