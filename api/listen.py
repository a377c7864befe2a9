"""The webhook of Microsoft Graph. It only says "look now": a look at the mailboxes is what follows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dramatiq
from aiohttp import web

import actors
from actors.mail import handle_lifecycle, take_in_content
from api import routes
from api.bodies import require_few_values
from api.dropped import DROPPED
from api.looks import Place
from api.refusals import Refusal
from api.routes import Answer, Routes
from api.schemas.listen import GraphNotifications, Handshake
from api.wiring import DIRECTORY, KNOWN_SUBSCRIPTIONS, LOOKS, PRODUCER
from workers.errors import BadRequest
from workers.graph.notifications import LifecycleEvent, Notification, is_genuine, parse
from workers.store import Subscription

LISTEN = Routes("webhook")
_LONGEST_TOKEN = 4096
# The items of 1 MB, as Graph writes them, have not half as many.
_MOST_VALUES = 30_000
_MOST_ITEMS = 5000
# A content has some headings of a mail and its keys, about 2 kB; a token about as much.
_LONGEST_CONTENT = 16_384
_CONTENTS_AT_ONCE = 10


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
    require_few_values(body, _MOST_VALUES)
    try:
        items = parse(body)
    except BadRequest as odd:
        raise Refusal(400, "invalid_notification", str(odd)) from None
    if len(items) > _MOST_ITEMS:
        raise Refusal(400, "invalid_notification", f"over {_MOST_ITEMS} notifications in a body")
    genuine = await _genuine(request, items)
    if messages := [*map(_lifecycle_message, genuine.events), *_content_messages(genuine.rich)]:
        await request.app[PRODUCER].send(*messages)
    if genuine.places:
        await request.app[LOOKS].want(*genuine.places)
    return web.Response(status=202)


def _handshake(token: str) -> web.Response:
    """The token back, as plain text and within 10 s (Graph: webhook delivery, validation)."""
    if len(token) > _LONGEST_TOKEN:
        raise Refusal(400, "invalid_notification", "the validation token is too long")
    return web.Response(text=token, content_type="text/plain")


@dataclass(frozen=True)
class _Genuine:
    """What the items of a body ask for: looks at mailboxes, events to handle, contents for a worker."""

    places: set[Place] = field(default_factory=set)
    events: set[tuple[Subscription, LifecycleEvent]] = field(default_factory=set)
    rich: dict[Place, list[Notification]] = field(default_factory=dict)


async def _genuine(request: web.Request, items: Sequence[Notification]) -> _Genuine:
    """Sort the items that carry the secret of a subscription of ours; the others are dropped."""
    known = await request.app[KNOWN_SUBSCRIPTIONS].find([item.subscription_id for item in items])
    organizations = request.app[DIRECTORY].current
    genuine, dropped = _Genuine(), 0
    for item in items:
        subscription = known.get(item.subscription_id)
        if (
            subscription is None
            or not is_genuine(item, subscription.client_state)
            or organizations.get(subscription.organization_id) is None
        ):
            dropped += 1
        elif event := item.lifecycle_event:
            genuine.events.add((subscription, event))
        else:
            place = Place(subscription.organization_id, subscription.mailbox)
            if subscription.has_content and _is_content(item):
                genuine.rich.setdefault(place, []).append(item)
            else:
                genuine.places.add(place)
    if dropped:
        request.app[DROPPED].note(dropped)
    return genuine


def _is_content(item: Notification) -> bool:
    """Whether there is content of a size that it can have; else the item is taken for a basic one."""
    content = item.encrypted_content
    return (
        content is not None
        and sum(len(str(value)) for value in content.values()) <= _LONGEST_CONTENT
        and sum(map(len, item.validation_tokens)) <= _LONGEST_CONTENT
    )


def _content_messages(rich: Mapping[Place, list[Notification]]) -> Iterator[dramatiq.Message[Any]]:
    """Contents as they came: a worker checks and decrypts them. The mail itself is never in them."""
    now_ms = int(time.time() * 1000)
    for place, items in rich.items():
        for start in range(0, len(items), _CONTENTS_AT_ONCE):
            some = items[start : start + _CONTENTS_AT_ONCE]
            yield actors.message(
                take_in_content,
                organization_id=place.organization_id,
                priority="high",
                mailbox=place.mailbox,
                contents=[dict(item.encrypted_content or {}) for item in some],
                validation_tokens=list(some[0].validation_tokens),
                notified_at_ms=now_ms,
            )


def _lifecycle_message(asked: tuple[Subscription, LifecycleEvent]) -> dramatiq.Message[Any]:
    subscription, event = asked
    return actors.message(
        handle_lifecycle,
        organization_id=subscription.organization_id,
        priority="high",
        mailbox=subscription.mailbox,
        folder=subscription.folder,
        subscription_id=subscription.id,
        event=event,
    )
