"""Keeps one live Graph subscription for each watched folder: made, renewed at half life, healed, removed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from workers import logs, metrics
from workers.errors import Conflict, EconeuraError, NotFound
from workers.graph import subscriptions as graph_subscriptions
from workers.graph.client import Graph
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.store import Subscription

_log = logs.get_logger("subscriptions")


async def reconcile(context: Context, organization: Organization) -> dict[str, int]:
    """Make what Graph has and what we know agree; returns counts of created, renewed, removed and failed.

    With no public URL there are no subscriptions: the timer alone brings the mail in.
    """
    counts = {"created": 0, "renewed": 0, "removed": 0, "failed": 0}
    graph = context.graph_of(organization.id)
    present = {subscription.id for subscription in await at_graph(context, organization.id)}
    known = {
        (subscription.mailbox, subscription.folder): subscription
        for subscription in await context.store.subscriptions.all()
        if subscription.organization_id == organization.id
    }
    wanted = _wanted(context, organization)
    for place, subscription in known.items():
        if place not in wanted:
            await remove(context, organization.id, subscription.id)
            counts["removed"] += 1
    kept = {known[place].id for place in wanted if place in known}
    for stray in present - kept:
        # Whose secret we do not know cannot be told from a forgery: end it.
        await graph_subscriptions.delete(graph, stray)
        counts["removed"] += 1
    for mailbox, folder in wanted:
        try:
            done = await _ensure(
                context, organization, mailbox, folder, known.get((mailbox, folder)), present
            )
        except EconeuraError as failed:
            metrics.ERRORS.labels(failed.code, "subscriptions", "warning").inc()
            _log.warning("subscription_failed", code=failed.code, folder=folder)
            counts["failed"] += 1
            await _mark(context, known.get((mailbox, folder)), failed.code)
        else:
            if done:
                counts[done] += 1
    return counts


async def handle_lifecycle(
    context: Context, organization_id: str, mailbox: str, folder: str, subscription_id: str, event: str
) -> None:
    """Do what a lifecycle event asks for; a look at the mailbox follows where something may be missed."""
    organization = context.organization(organization_id)
    graph = context.graph_of(organization_id)
    if event == "reauthorizationRequired":
        subscription = await context.store.subscriptions.get(subscription_id)
        if subscription is not None:
            await _renew(context, graph, subscription)
        return
    if event == "subscriptionRemoved":
        await context.store.subscriptions.delete(subscription_id)
        if (mailbox, folder) in _wanted(context, organization):
            await subscribe(context, organization, mailbox, folder)
    await context.queue.sync(organization_id, mailbox)


async def remove(context: Context, organization_id: str, subscription_id: str) -> None:
    """End a subscription at Graph and forget it."""
    await graph_subscriptions.delete(context.graph_of(organization_id), subscription_id)
    await context.store.subscriptions.delete(subscription_id)


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


async def _ensure(
    context: Context,
    organization: Organization,
    mailbox: str,
    folder: str,
    known: Subscription | None,
    present: set[str],
) -> str:
    if known is None or known.id not in present:
        if known is not None:
            await context.store.subscriptions.delete(known.id)
        await subscribe(context, organization, mailbox, folder)
        return "created"
    # Renew at half life: one failed renewal still leaves days to try again.
    created, expires = (datetime.fromisoformat(moment) for moment in (known.created_at, known.expires_at))
    if datetime.now(UTC) < created + (expires - created) / 2:
        return ""
    try:
        await _renew(context, context.graph_of(organization.id), known)
    except NotFound:
        await context.store.subscriptions.delete(known.id)
        await subscribe(context, organization, mailbox, folder)
        return "created"
    return "renewed"


async def subscribe(context: Context, organization: Organization, mailbox: str, folder: str) -> Subscription:
    """Subscribe to a folder and note it, in place of one that Graph already has; a look at it follows.

    Graph calls our webhook before it answers. Raises BadRequest where that fails.
    """
    graph = context.graph_of(organization.id)
    resource = graph_subscriptions.resource_of(mailbox, folder)
    for last_try in (False, True):
        try:
            made = await graph_subscriptions.create(
                graph,
                resource=resource,
                notification_url=_notification_url(context),
                client_state=graph_subscriptions.new_client_state(),
            )
        except Conflict:
            if last_try:
                raise
            # One that we lost track of stands in the way; its secret is unknown, so it cannot be kept.
            await _delete_for(graph, resource)
        else:
            break
    subscription = Subscription(
        id=made.id,
        organization_id=organization.id,
        mailbox=mailbox,
        folder=folder,
        client_state=made.client_state or "",
        expires_at=made.expires_at.isoformat(),
        created_at=datetime.now(UTC).isoformat(),
    )
    await context.store.subscriptions.save(subscription)
    # What arrived before Graph began to tell us is found by looking.
    await context.queue.sync(organization.id, mailbox)
    return subscription


async def _delete_for(graph: Graph, resource: str) -> None:
    for item in await graph_subscriptions.list_subscriptions(graph):
        if item.resource.lower() == resource.lower():
            await graph_subscriptions.delete(graph, item.id)


async def _renew(context: Context, graph: Graph, subscription: Subscription) -> None:
    renewed = await graph_subscriptions.renew(graph, subscription.id)
    now = datetime.now(UTC)
    expires = renewed.expires_at if renewed.expires_at > now else now + timedelta(minutes=45)
    await context.store.subscriptions.save(
        replace(subscription, expires_at=expires.isoformat(), created_at=now.isoformat(), health="ok")
    )


async def _mark(context: Context, subscription: Subscription | None, health: str) -> None:
    if subscription is not None:
        await context.store.subscriptions.save(replace(subscription, health=health))


def _notification_url(context: Context) -> str:
    return f"{context.settings.public_url}/listen"
