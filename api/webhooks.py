"""An organization's own webhooks: what they were told, and telling it again."""

from __future__ import annotations

from aiohttp import web

from api import routes
from api.audit import note
from api.envelope import answer
from api.refusals import not_found
from api.routes import NOTHING, Answer, Routes
from api.schemas.webhooks import (
    DeliveriesQuery,
    DeliveryList,
    Replayed,
    ShownDelivery,
    ShownWebhook,
    WebhookList,
)
from api.visibility import visible
from api.wiring import CONTEXT, STORE
from workers.organizations import Organization
from workers.store import Delivery
from workers.webhooks.event import Event

WEBHOOKS = Routes("webhooks")
_OF_THE_SAME = {"id": "$request.path.id"}
_TO_ITS_LOG = {"list_deliveries": {**_OF_THE_SAME, "name": "/webhooks/0/name"}}
_TO_REPLAY = {
    "replay_delivery": {**_OF_THE_SAME, "name": "$request.path.name", "eventId": "/deliveries/0/id"}
}


@WEBHOOKS.add(
    "GET",
    "/organizations/{id}/webhooks",
    takes=NOTHING,
    needs="read",
    answers={200: Answer("All of them.", WebhookList, leads_to=_TO_ITS_LOG)},
    refusals=(404,),
)
async def list_webhooks(request: web.Request, _: None) -> web.Response:
    """List the webhooks that an organization is configured to tell what happened."""
    organization = visible(request).organization(request.match_info["id"])
    shown = [
        ShownWebhook(name=name, host=webhook.host, events=list(webhook.events))
        for name, webhook in organization.webhooks.items()
    ]
    return answer(WebhookList(webhooks=shown, count=len(shown)))


@WEBHOOKS.add(
    "GET",
    "/organizations/{id}/webhooks/{name}/deliveries",
    takes=routes.query(DeliveriesQuery),
    needs="read",
    answers={200: Answer("The last ones, what was tried last first.", DeliveryList, leads_to=_TO_REPLAY)},
    refusals=(404,),
)
async def list_deliveries(request: web.Request, asked: DeliveriesQuery) -> web.Response:
    """Show what a webhook was told, or could not be told, of late."""
    organization, name = _webhook(request)
    deliveries = await request.app[STORE].webhooks.deliveries(organization.id, name, limit=asked.limit)
    shown = [_shown(delivery) for delivery in deliveries]
    return answer(DeliveryList(deliveries=shown, count=len(shown)))


@WEBHOOKS.add(
    "POST",
    "/organizations/{id}/webhooks/{name}/deliveries/{eventId}/replay",
    takes=NOTHING,
    needs="operate",
    changes="delivery.replayed",
    answers={202: Answer("Queued.", Replayed)},
    refusals=(404,),
)
async def replay_delivery(request: web.Request, _: None) -> web.Response:
    """Tell a webhook of an event again, under the same `webhook-id`: whoever had heard of it can tell."""
    organization, name = _webhook(request)
    event_id = request.match_info["eventId"]
    known = await request.app[STORE].webhooks.delivery(organization.id, name, event_id)
    if known is None:
        raise not_found("no such delivery in the log of this webhook")
    event = Event(known.id, known.type, organization.id, known.at, known.data)
    await request.app[CONTEXT].queue.tell(event, (name,), again=True)
    note(request, organization_id=organization.id)
    return answer(Replayed(id=event_id, status="queued"), status=202)


def _webhook(request: web.Request) -> tuple[Organization, str]:
    """The organization and the name of its webhook; refuses (404) what is not configured."""
    organization, name = visible(request).organization(request.match_info["id"]), request.match_info["name"]
    if name not in organization.webhooks:
        raise not_found("no such webhook")
    return organization, name


def _shown(delivery: Delivery) -> ShownDelivery:
    return ShownDelivery(
        id=delivery.id,
        type=delivery.type,
        at=delivery.at,
        status=delivery.status,
        attempts=delivery.attempts,
        status_code=delivery.status_code or None,
        error=delivery.error or None,
        duration_ms=delivery.duration_ms,
        tried_at=delivery.tried_at,
        data=dict(delivery.data),
    )
