"""The webhook of Microsoft Graph. It only says "look now": a look at the mailboxes is what follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dramatiq
from aiohttp import web

import actors
from actors.mail import handle_lifecycle
from api import routes
from api.looks import Place
from api.refusals import Refusal
from api.routes import Answer, Routes
from api.schemas.listen import GraphNotifications, Handshake
from api.wiring import DIRECTORY, KNOWN_SUBSCRIPTIONS, LOOKS, PRODUCER
from workers import logs, metrics
from workers.errors import BadRequest
from workers.graph.notifications import LifecycleEvent, Notification, is_genuine, parse
from workers.store import Subscription

LISTEN = Routes("webhook")
_log = logs.get_logger("api")
_LONGEST_TOKEN = 4096
_dropped = metrics.ERRORS.labels("notification_dropped", "listen", "warning")


@LISTEN.add(
    "POST",
    "/listen",
    takes=routes.raw_body(GraphNotifications, with_query=Handshake),
    needs="nothing",
    answers={
        202: Answer("Stored; items that were not genuine are dropped."),
        200: Answer("The validation handshake: the token, decoded.", media="text/plain"),
    },
)
async def listen(request: web.Request, body: bytes) -> web.Response:
    """Take in notifications and lifecycle events of Microsoft Graph.

    Every item must carry its subscription's clientState. Graph repeats what is not answered with 2xx, so
    only what could not be stored is refused (503).
    """
    if token := request.query.get("validationToken"):
        return _handshake(token)
    try:
        items = parse(body)
    except BadRequest as odd:
        raise Refusal(400, "invalid_notification", str(odd)) from None
    places, events = await _genuine(request, items)
    if events:
        await request.app[PRODUCER].send(*(_lifecycle_message(*event) for event in events))
    if places:
        await request.app[LOOKS].want(*places)
    return web.Response(status=202)


def _handshake(token: str) -> web.Response:
    """The token back, as plain text and within 10 s (Graph: webhook delivery, validation)."""
    if len(token) > _LONGEST_TOKEN:
        raise Refusal(400, "invalid_notification", "the validation token is too long")
    return web.Response(text=token, content_type="text/plain")


async def _genuine(
    request: web.Request, items: Sequence[Notification]
) -> tuple[set[Place], set[tuple[Subscription, LifecycleEvent]]]:
    """What the items that carry the secret of a subscription of ours ask for; the others are dropped."""
    known = await request.app[KNOWN_SUBSCRIPTIONS].find([item.subscription_id for item in items])
    organizations = request.app[DIRECTORY].current
    places: set[Place] = set()
    events: set[tuple[Subscription, LifecycleEvent]] = set()
    dropped = 0
    for item in items:
        subscription = known.get(item.subscription_id)
        if (
            subscription is None
            or not is_genuine(item, subscription.client_state)
            or organizations.get(subscription.organization_id) is None
        ):
            dropped += 1
        elif event := item.lifecycle_event:
            events.add((subscription, event))
        else:
            places.add(Place(subscription.organization_id, subscription.mailbox))
    if dropped:
        _dropped.inc(dropped)
        _log.warning("notifications_dropped", count=dropped, of=len(items))
    return places, events


def _lifecycle_message(subscription: Subscription, event: LifecycleEvent) -> dramatiq.Message[Any]:
    return actors.message(
        handle_lifecycle,
        organization_id=subscription.organization_id,
        priority="high",
        mailbox=subscription.mailbox,
        folder=subscription.folder,
        subscription_id=subscription.id,
        event=event,
    )
