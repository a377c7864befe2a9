"""The timer's side of Graph: subscriptions kept alive, every mailbox looked at, master categories there."""

from __future__ import annotations

from collections.abc import Sequence

from workers import metrics
from workers.errors import EconeuraError
from workers.organizations import Organization
from workers.pipeline import subscribing
from workers.pipeline.colours import ensure_categories, names_of
from workers.pipeline.context import Context
from workers.pipeline.scheduled_run import Done

# So far apart are the looks at mailboxes; many mailboxes share most of the interval between two runs.
_APART_S = 0.5
_SHARE_OF_INTERVAL = 0.8
_MOST_MAILBOXES_GIVEN_CATEGORIES = 50


async def look_everywhere(context: Context, organizations: Sequence[Organization]) -> None:
    """Queue a look at every mailbox, spread in time; a large organization keeps no small one waiting."""
    ranked = [(rank, one.id, mailbox) for one in organizations for rank, mailbox in enumerate(one.mailboxes)]
    mailboxes = [(organization_id, mailbox) for _, organization_id, mailbox in sorted(ranked)]
    apart_s = _apart_s(context, len(mailboxes))
    for index, (organization_id, mailbox) in enumerate(mailboxes):
        await context.queue.sync(organization_id, mailbox, delay_s=index * apart_s)


async def keep_in_touch(context: Context, organizations: Sequence[Organization]) -> Done:
    """Reconcile subscriptions and create missing categories; trouble of one organization stays with it."""
    figures = {"created": 0, "renewed": 0, "removed": 0, "failed": 0, "categories": 0}
    problems = []
    await subscribing.forget_ended(context)
    for organization in organizations:
        try:
            counts = await subscribing.reconcile(context, organization)
            figures["categories"] += await _give_categories(context, organization)
        except EconeuraError as failed:
            metrics.ERRORS.labels(failed.code, "graph_upkeep", "warning").inc()
            problems.append(f"{organization.id}: {failed.code}")
            await subscribing.note_unwatched(context, organization, failed)
        else:
            for what, count in counts.items():
                figures[what] += count
            if counts["failed"]:
                problems.append(f"{organization.id}: {counts['failed']} subscriptions could not be made")
    return Done(figures, "; ".join(problems))


def _apart_s(context: Context, count: int) -> float:
    return min(_APART_S, _SHARE_OF_INTERVAL * context.settings.sync_interval_s / max(count, 1))


async def _give_categories(context: Context, organization: Organization) -> int:
    if organization.mode == "observe":
        return 0
    wanted, given, created = names_of(organization), 0, 0
    for mailbox in organization.mailboxes:
        known = await context.store.mailboxes.known_categories(mailbox)
        missing = sorted(wanted - known)
        if not missing:
            continue
        try:
            created += await ensure_categories(context, organization.id, mailbox, missing, known)
        except EconeuraError as failed:
            # One mailbox that is gone must not keep the others waiting; a message's action tries again.
            metrics.ERRORS.labels(failed.code, "categories", "warning").inc()
        given += 1
        if given == _MOST_MAILBOXES_GIVEN_CATEGORIES:
            break
    return created
