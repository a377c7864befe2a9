"""Keeps one live Graph subscription for each watched folder: made, renewed at half life, healed, removed."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from workers import logs, metrics
from workers.errors import AccessDenied, BadRequest, Conflict, EconeuraError, NotFound, PermanentError
from workers.graph import subscriptions as graph_subscriptions
from workers.graph.client import Graph
from workers.graph.subscriptions import ContentKey
from workers.organizations import Organization
from workers.pipeline import announcing, rich_content
from workers.pipeline.context import Context
from workers.store import Subscription

_log = logs.get_logger("subscriptions")
# Each is validated at our own webhook: a thousand at once would be a burst there, too.
_AT_ONCE = 4

Place = tuple[str, str]
Seen = Literal["created", "renewed", "kept", "failed"]


async def reconcile(context: Context, organization: Organization) -> dict[str, int]:
    """Make what Graph has and what we know agree; returns counts of created, renewed, removed and failed.

    With no public URL there are no subscriptions: the timer alone brings the mail in.
    """
    counts = Counter({"created": 0, "renewed": 0, "removed": 0, "failed": 0})
    wanted = dict.fromkeys(_wanted(context, organization))
    present = {subscription.id: subscription for subscription in await at_graph(context, organization.id)}
    kept: dict[Place, Subscription] = {}
    own, of_others = set(), set()
    for subscription in await context.store.subscriptions.all():
        if subscription.organization_id != organization.id:
            # Of one that shares the app: Graph lists them together.
            if context.organizations.get(subscription.organization_id) is not None:
                of_others.add(subscription.id)
            continue
        own.add(subscription.id)
        place = (subscription.mailbox, subscription.folder)
        if subscription.id in present and place in wanted and place not in kept:
            kept[place] = subscription
        else:
            await context.store.subscriptions.delete(subscription.id)
    graph = context.graph_of(organization.id)
    for stray in present.keys() - of_others - {subscription.id for subscription in kept.values()}:
        if stray not in own and _may_be_of_others(context, organization, present[stray]):
            continue
        # Not wanted, or one whose secret we do not know: it cannot be told from a forgery.
        await graph_subscriptions.delete(graph, stray)
        counts["removed"] += 1
    key = await rich_content.key_for_subscriptions(context)
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def see_to(place: Place) -> None:
        async with at_once:
            counts[await _see_to(context, organization, place, kept.get(place), key)] += 1

    await asyncio.gather(*(see_to(place) for place in wanted))
    del counts["kept"]
    return dict(counts)


async def note_unwatched(context: Context, organization: Organization, failed: EconeuraError) -> None:
    """Note of the folders without a subscription why they have none, where Graph could not even be asked."""
    watched = {(one.mailbox, one.folder) for one in await context.store.subscriptions.all()}
    for place in _wanted(context, organization):
        if place not in watched:
            await context.store.mailboxes.note_subscription(*place, error=failed.code)


async def forget_ended(context: Context) -> None:
    """Forget what ended of organizations that are no longer configured."""
    for subscription in await context.store.subscriptions.all():
        has_ended = datetime.fromisoformat(subscription.expires_at) < datetime.now(UTC)
        if has_ended and context.organizations.get(subscription.organization_id) is None:
            await context.store.subscriptions.delete(subscription.id)


async def handle_lifecycle(
    context: Context, organization_id: str, mailbox: str, folder: str, subscription_id: str, event: str
) -> None:
    """Do what a lifecycle event asks for; before that, look at the mailbox: mail may have been missed."""
    await context.queue.sync(organization_id, mailbox)
    organization = context.organization(organization_id)
    place = (mailbox, folder)
    if event not in ("reauthorizationRequired", "subscriptionRemoved"):
        return
    subscription = await context.store.subscriptions.get(subscription_id)
    if place not in _wanted(context, organization) or subscription is None:
        # It was replaced or is not wanted: an event that came late.
        return
    try:
        if event == "reauthorizationRequired":
            await _renew_or_replace(context, organization, subscription)
        else:
            await subscribe(context, organization, *place)
            await context.store.subscriptions.delete(subscription_id)
    except PermanentError as failed:
        # Until it can be had again (graph_sync tries), the timer brings the mail in.
        await _note_failure(context, organization, place, failed, None)


async def remove(context: Context, organization_id: str, subscription_id: str) -> None:
    """End a subscription at Graph and forget it."""
    await graph_subscriptions.delete(context.graph_of(organization_id), subscription_id)
    await context.store.subscriptions.delete(subscription_id)


def _may_be_of_others(
    context: Context, organization: Organization, unknown: graph_subscriptions.Subscription
) -> bool:
    """Whether an organization that shares the app may have made it just now, or will replace it itself."""
    is_shared = any(
        other.id != organization.id and other.client_id.lower() == organization.client_id.lower()
        for other in context.organizations
    )
    # Where Graph spells the mailbox as an id it cannot be told whose it is; unwanted ones end by themselves.
    return is_shared and graph_subscriptions.mailbox_of(unknown.resource) not in organization.mailboxes


def _wanted(context: Context, organization: Organization) -> list[tuple[str, str]]:
    if context.settings.public_url is None:
        return []
    return [(mailbox, folder) for mailbox in organization.mailboxes for folder in organization.folders]


async def at_graph(context: Context, organization_id: str) -> list[graph_subscriptions.Subscription]:
    """The subscriptions that lead to us; Graph's list holds all those of the app."""
    if context.settings.public_url is None:
        return []
    target = _notification_url(context)
    return [
        item
        for item in await graph_subscriptions.list_subscriptions(context.graph_of(organization_id))
        if item.notification_url == target
    ]


async def _see_to(
    context: Context,
    organization: Organization,
    place: Place,
    known: Subscription | None,
    key: ContentKey | None,
) -> Seen:
    try:
        if known is not None and known.content_key_id != (key.id if key else ""):
            # The key is another by now, or content is (no longer) asked for: none of it can be changed.
            await remove(context, organization.id, known.id)
            known = None
        if known is None:
            await subscribe(context, organization, *place)
            return "created"
        # Renew at half life: one failed renewal still leaves days to try again.
        created, expires = (datetime.fromisoformat(moment) for moment in (known.created_at, known.expires_at))
        if known.health == "ok" and datetime.now(UTC) < created + (expires - created) / 2:
            return "kept"
        return await _renew_or_replace(context, organization, known)
    except EconeuraError as failed:
        await _note_failure(context, organization, place, failed, known)
        return "failed"


async def _renew_or_replace(
    context: Context, organization: Organization, subscription: Subscription
) -> Literal["created", "renewed"]:
    try:
        await _renew(context, context.graph_of(organization.id), subscription)
    except NotFound:
        await context.store.subscriptions.delete(subscription.id)
        await subscribe(context, organization, subscription.mailbox, subscription.folder)
        return "created"
    return "renewed"


async def _note_failure(
    context: Context,
    organization: Organization,
    place: Place,
    failed: EconeuraError,
    still_there: Subscription | None,
) -> None:
    metrics.ERRORS.labels(failed.code, "subscriptions", "warning").inc()
    _log.warning("subscription_failed", code=failed.code, folder=place[1], reason=str(failed))
    error = failed.code if still_there is None else ""
    events = announcing.of_subscription(context, organization.id, place, failed.code)
    if still_there is not None:
        await context.store.subscriptions.save(replace(still_there, health=failed.code))
    await context.store.mailboxes.note_subscription(*place, error=error, ails=failed.code, tell=events)
    await announcing.announce(context, events)


async def subscribe(context: Context, organization: Organization, mailbox: str, folder: str) -> Subscription:
    """Subscribe to a folder and note it, in place of one that Graph already has; a look at it follows.

    Graph calls our webhook before it answers. Raises BadRequest where that fails.
    """
    key = await rich_content.key_for_subscriptions(context)
    has_content = key is not None
    resource = graph_subscriptions.resource_of(mailbox, folder)
    try:
        made = await _create(context, organization, resource, key)
    except (BadRequest, AccessDenied) as refused:
        if key is None:
            raise
        metrics.ERRORS.labels("content_refused", "subscriptions", "warning").inc()
        _log.warning("content_refused", folder=folder, reason=str(refused))
        has_content = False
        made = await _create(context, organization, resource, None)
    subscription = Subscription(
        id=made.id,
        organization_id=organization.id,
        mailbox=mailbox,
        folder=folder,
        client_state=made.client_state or "",
        expires_at=made.expires_at.isoformat(),
        created_at=datetime.now(UTC).isoformat(),
        content_key_id=key.id if key else "",
        has_content=has_content,
    )
    await context.store.subscriptions.save(subscription)
    await context.store.mailboxes.note_subscription(mailbox, folder, error="")
    # What arrived before Graph began to tell us is found by looking.
    await context.queue.sync(organization.id, mailbox)
    return subscription


async def _create(
    context: Context, organization: Organization, resource: str, key: ContentKey | None
) -> graph_subscriptions.Subscription:
    graph = context.graph_of(organization.id)

    async def create() -> graph_subscriptions.Subscription:
        return await graph_subscriptions.create(
            graph,
            resource=resource,
            notification_url=_notification_url(context),
            client_state=graph_subscriptions.new_client_state(),
            content_key=key,
        )

    try:
        return await create()
    except Conflict:
        # One that we lost track of stands in the way; its secret is unknown, so it cannot be kept.
        await _delete_for(graph, resource)
    return await create()


async def _delete_for(graph: Graph, resource: str) -> None:
    for item in await graph_subscriptions.list_subscriptions(graph):
        if graph_subscriptions.same_resource(item.resource, resource):
            await graph_subscriptions.delete(graph, item.id)


async def _renew(context: Context, graph: Graph, subscription: Subscription) -> None:
    life = graph_subscriptions.LIFE_WITH_CONTENT if subscription.has_content else graph_subscriptions.LIFE
    renewed = await graph_subscriptions.renew(graph, subscription.id, life=life)
    now = datetime.now(UTC)
    expires = renewed.expires_at if renewed.expires_at > now else now + timedelta(minutes=45)
    await context.store.subscriptions.save(
        replace(subscription, expires_at=expires.isoformat(), created_at=now.isoformat(), health="ok")
    )
    await context.store.mailboxes.note_subscription(subscription.mailbox, subscription.folder, error="")


def _notification_url(context: Context) -> str:
    return f"{context.settings.public_url}/listen"
