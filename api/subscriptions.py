"""Graph subscriptions: what Graph has and what we know of them; by hand what graph_sync does by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from aiohttp import web

from api import routes
from api.audit import note
from api.caller import CALLER
from api.envelope import answer
from api.refusals import Refusal, invalid, not_found
from api.routes import NOTHING, Answer, Routes
from api.schemas.subscriptions import (
    Deleted,
    NewSubscription,
    OneSubscription,
    ShownSubscription,
    SubscriptionList,
    SubscriptionsQuery,
)
from api.visibility import Visible, visible
from api.wiring import CONTEXT, SETTINGS, STORE
from workers import logs
from workers.errors import EconeuraError
from workers.graph.subscriptions import Subscription as AtGraph
from workers.organizations import Organization
from workers.pipeline import subscribing
from workers.store import Subscription

SUBSCRIPTIONS = Routes("subscriptions")
_TO_ITS_END = {"delete_subscription": {"id": "/subscription/id"}}
_log = logs.get_logger("api")
_GRAPH_TIMEOUT_S = 10.0


@SUBSCRIPTIONS.add(
    "GET",
    "/subscriptions",
    takes=routes.query(SubscriptionsQuery),
    needs="read",
    answers={200: Answer("Ours, and what Graph has that leads to us.", SubscriptionList)},
    refusals=(404,),
)
async def list_subscriptions(request: web.Request, asked: SubscriptionsQuery) -> web.Response:
    """List the subscriptions, as Graph has them and as we know them, with the seconds each has left."""
    organizations = _asked_for(visible(request), asked.organization_id)
    stored = await request.app[STORE].subscriptions.all()
    shown = []
    for found in await asyncio.gather(*(_joined(request, each, stored) for each in organizations)):
        shown += found
    return answer(SubscriptionList(subscriptions=shown, count=len(shown)))


@SUBSCRIPTIONS.add(
    "POST",
    "/subscriptions",
    takes=routes.body(NewSubscription),
    needs="operate",
    changes="subscription.created",
    answers={201: Answer("Subscribed.", OneSubscription, leads_to=_TO_ITS_END)},
    refusals=(404, 409, 502),
)
async def create_subscription(request: web.Request, given: NewSubscription) -> web.Response:
    """Subscribe to a watched folder anew; graph_sync does so by itself where there is none.

    Graph validates our webhook before it agrees.
    """
    organization = visible(request).owner(given.mailbox, given.organization_id)
    folder = organization.folders[0] if given.folder is None else given.folder
    if folder not in organization.folders:
        raise invalid("folder", f"not a watched folder of {organization.id}: it would be removed again")
    if request.app[SETTINGS].public_url is None:
        raise Refusal(409, "no_public_url", "ECONEURA_PUBLIC_URL is not set: Graph could not reach /listen")
    context, mailbox = request.app[CONTEXT], given.mailbox.lower()
    for former in await request.app[STORE].subscriptions.all():
        if (former.mailbox, former.folder) == (mailbox, folder):
            await subscribing.remove(context, former.organization_id, former.id)
    made = await subscribing.subscribe(context, organization, mailbox, folder)
    note(request, organization_id=organization.id, subscription=made.id, mailbox=mailbox, folder=folder)
    return answer(OneSubscription(subscription=_shown(made, at_graph=True)), status=201)


@SUBSCRIPTIONS.add(
    "DELETE",
    "/subscriptions/{id}",
    takes=NOTHING,
    needs="operate",
    changes="subscription.removed",
    answers={200: Answer("Gone, at Graph and here.", Deleted)},
    refusals=(404, 502),
)
async def delete_subscription(request: web.Request, _: None) -> web.Response:
    """End a subscription. graph_sync makes a new one as long as the folder is watched."""
    subscription = await request.app[STORE].subscriptions.get(request.match_info["id"])
    if subscription is None or not request[CALLER].may_see(subscription.organization_id):
        raise not_found("no such subscription")
    await subscribing.remove(request.app[CONTEXT], subscription.organization_id, subscription.id)
    note(
        request,
        organization_id=subscription.organization_id,
        mailbox=subscription.mailbox,
        folder=subscription.folder,
    )
    return answer(Deleted(id=subscription.id, deleted=True))


def _asked_for(organizations: Visible, organization_id: str | None) -> list[Organization]:
    return list(organizations) if organization_id is None else [organizations.organization(organization_id)]


async def _joined(
    request: web.Request, organization: Organization, stored: list[Subscription]
) -> list[ShownSubscription]:
    ours = {item.id: item for item in stored if item.organization_id == organization.id}
    # Graph lists those of the app: organizations that share one would see each other's.
    known = {item.id for item in stored}
    try:
        async with asyncio.timeout(_GRAPH_TIMEOUT_S):
            found = await subscribing.at_graph(request.app[CONTEXT], organization.id)
    except (EconeuraError, TimeoutError) as away:
        # One organization's broken credential must not hide the others.
        _log.warning("graph_not_asked", organizationId=organization.id, reason=type(away).__name__)
        return [_shown(item, at_graph=None) for item in ours.values()]
    present = {item.id: item for item in found}
    shown = [_shown(item, at_graph=item.id in present) for item in ours.values()]
    return shown + [_stray(item, organization) for item in found if item.id not in known]


def _shown(subscription: Subscription, *, at_graph: bool | None) -> ShownSubscription:
    expires = datetime.fromisoformat(subscription.expires_at)
    left_s = _seconds_left(expires)
    health = subscription.health
    if at_graph is False:
        health = "missing_at_graph"
    elif left_s == 0:
        health = "expired"
    return ShownSubscription(
        id=subscription.id,
        organization_id=subscription.organization_id,
        mailbox=subscription.mailbox,
        folder=subscription.folder,
        expires_at=_written(expires),
        seconds_left=left_s,
        health=health,
        at_graph=at_graph,
    )


def _stray(found: AtGraph, organization: Organization) -> ShownSubscription:
    return ShownSubscription(
        id=found.id,
        organization_id=organization.id,
        mailbox=None,
        folder=None,
        expires_at=_written(found.expires_at),
        seconds_left=_seconds_left(found.expires_at),
        health="unknown_to_us",
        at_graph=True,
    )


def _seconds_left(expires: datetime) -> int:
    return max(0, round((expires - datetime.now(UTC)).total_seconds()))


def _written(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
