"""One action of a plan: do it once, confirm it, record it, go on to the next."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from workers import clock, logs
from workers.decisions import asks_for, is_paused, rule_named
from workers.errors import NotFound
from workers.graph import messages, request_ids
from workers.organizations import Organization
from workers.pipeline import announcing, ending, replying
from workers.pipeline.colours import ensure_categories
from workers.pipeline.context import Context
from workers.pipeline.processing import next_step, queue_action, resume
from workers.store import PlannedStep, Record

_log = logs.get_logger("pipeline")

# Sooner nobody has filed a message by hand; later it is worth a call to see that it still is where it was.
_FILED_BY_HAND_MS = 60_000
# Graph does not promise to heed If-Match: the older what we know of a message, the more it could undo.
_CATEGORIES_KNOWN_MS = 300_000

Perform = Callable[[Context, Organization, Record, PlannedStep], Awaitable[PlannedStep]]


async def act(
    context: Context,
    organization_id: str,
    mailbox: str,
    message_id: str,
    index: int,
    *,
    owner: str,
    attempt: int = 1,
) -> None:
    """Carry out action `index` of a message's plan and queue the next, or end the message.

    Safe to repeat at any point; `attempt` counts the tries of this queue message. Raises Busy,
    TemporaryError and PermanentError as the action's calls do.
    """
    organization = context.organization(organization_id)
    try:
        record = await context.store.ledger.claim(organization_id, mailbox, message_id, owner=owner)
    except NotFound:
        _log.warning("action_without_record", index=index)
        return
    if record.is_finished:
        await ending.tell_jobs(context, record, record.jobs)
        return
    if record.decision is None:
        # Redis was put back to before the plan: it is made anew, and must not be taken for an empty one.
        await context.store.ledger.save(record, {}, release=True)
        await context.queue.process(organization_id, mailbox, [message_id])
        return
    step = next((step for step in record.steps if step.index == index), None)
    if step is None or step.is_over:
        await resume(context, record)
    else:
        await _conclude(context, record, await _perform(context, organization, record, step, attempt))


async def _conclude(context: Context, record: Record, step: PlannedStep) -> None:
    """Write how an action ended; with the last one ends the message, else the next is queued."""
    written = {f"step:{step.index}": step.to_json()}
    record = record.with_step(step)
    following, events = next_step(record), announcing.of_step(context, record, step)
    if following is None:
        await ending.finish(context, record, "done", "", written=written, tell=events)
        return
    await context.store.ledger.save(record, written, release=True, tell=events)
    await announcing.announce(context, events)
    await queue_action(context, record, following)


async def _perform(
    context: Context, organization: Organization, record: Record, step: PlannedStep, attempt: int
) -> PlannedStep:
    held_back = _held_back(organization, record, step)
    if held_back is not None:
        done = held_back
    else:
        try:
            with request_ids.collected() as collected:
                done = await _PERFORMERS[step.type](context, organization, record, step)
            done = replace(done, request_ids=(*step.request_ids, *collected)[-10:])
        except NotFound:
            # Moved or deleted by a person meanwhile: there is nothing left to act on.
            done = replace(step, status="skipped", detail="message is gone")
    return replace(done, attempts=step.attempts + attempt, changed_at=clock.now_text())


def _held_back(organization: Organization, record: Record, step: PlannedStep) -> PlannedStep | None:
    """The step as not done, where the configuration does not want it any more; else None."""
    rule = rule_named(organization, step.rule)
    if organization.mode == "observe":
        return replace(step, status="observed", detail="mode is observe: not done")
    if is_paused(organization, rule, record.paused):
        reason = "paused"
    elif record.mailbox not in organization.mailboxes:
        reason = "the mailbox is no longer configured"
    elif not asks_for(organization, step.rule, step.type):
        reason = "the rule no longer asks for it"
    else:
        return None
    if step.has_begun:
        # A draft may be there already, and perhaps was sent: from here on it is a person's.
        return replace(step, status="waiting", detail=f"stopped on its way: {reason}")
    return replace(step, status="skipped", detail=reason)


async def _categorize(
    context: Context, organization: Organization, record: Record, step: PlannedStep
) -> PlannedStep:
    graph = context.graph_of(organization.id)
    coloured = await context.store.mailboxes.known_categories(record.mailbox)
    await ensure_categories(context, organization.id, record.mailbox, step.categories, coloured)
    known = None
    if record.etag and not _is_older(record, _CATEGORIES_KNOWN_MS):
        known = {"categories": record.categories, "@odata.etag": record.etag}
    await messages.add_categories(graph, record.mailbox, record.message_id, step.categories, known=known)
    return replace(step, status="done", detail=", ".join(step.categories))


async def _archive(
    context: Context, organization: Organization, record: Record, step: PlannedStep
) -> PlannedStep:
    graph = context.graph_of(organization.id)
    if record.folder_id and _is_older(record, _FILED_BY_HAND_MS):
        folder_id = await messages.folder_of(graph, record.mailbox, record.message_id)
        if folder_id != record.folder_id:
            return replace(step, status="skipped", detail="it was moved meanwhile")
    await messages.archive(graph, record.mailbox, record.message_id)
    return replace(step, status="done", detail="moved to archive")


def _is_older(record: Record, age_ms: int) -> bool:
    return time.time() * 1000 - record.seen_at > age_ms


_PERFORMERS: dict[str, Perform] = {
    "categorize": _categorize,
    "archive": _archive,
    "respond": replying.respond,
    "forward": replying.forward,
}
