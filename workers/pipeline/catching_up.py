"""What was left behind: messages not finished, folders not looked at, events not told; queued in bounds."""

from __future__ import annotations

import time
from collections.abc import Iterable

from workers.organizations import Organization
from workers.pipeline import announcing
from workers.pipeline.context import Context

# Longer than a claim lasts. A message that has not moved for so long has lost its worker and its place in the
# queue; or it waits for a later try, so each time that it is queued again it rests twice as long as before.
_IDLE_S = 300.0
MOST_MESSAGES = 500
_MOST_MAILBOXES = 200
# The timer's own look at a folder is spread over the interval: it is late only after this.
_SYNC_SLACK_S = 120.0


async def catch_up(
    context: Context, organizations: Iterable[Organization], *, longest_wait_s: float
) -> dict[str, int]:
    """Queue what is due, the oldest first; returns counts of messages found, queued and left, of mailboxes
    and of events queued.

    `longest_wait_s` is how long messages wait in the queue at present: what is younger than that is not lost,
    it has not had its turn.
    """
    figures = {"found": 0, "queued": 0, "left": 0, "gone": 0, "foldersLate": 0, "mailboxesQueued": 0}
    for organization in organizations:
        await _queue_unfinished(context, organization, _IDLE_S + 2 * longest_wait_s, figures)
        await _queue_late_folders(context, organization, figures)
    figures["events"] = await announcing.catch_up(context)
    return figures


async def _queue_unfinished(
    context: Context, organization: Organization, idle_s: float, figures: dict[str, int]
) -> None:
    unfinished = context.store.unfinished
    found = await unfinished.oldest(organization.id, idle_for_s=idle_s, limit=MOST_MESSAGES)
    by_mailbox: dict[str, list[str]] = {}
    for mailbox, message_id in found:
        by_mailbox.setdefault(mailbox, []).append(message_id)
    for mailbox, message_ids in by_mailbox.items():
        await context.queue.process(organization.id, mailbox, message_ids)
        # After queueing: whoever is killed in between queues them twice, which does no harm.
        figures["gone"] += await unfinished.let_rest(organization.id, mailbox, message_ids, idle_s=_IDLE_S)
    left = await unfinished.count_idle(organization.id, idle_for_s=idle_s)
    figures["found"] += len(found) + left
    figures["queued"] += len(found)
    figures["left"] += left


async def _queue_late_folders(context: Context, organization: Organization, figures: dict[str, int]) -> None:
    places = [(mailbox, folder) for mailbox in organization.mailboxes for folder in organization.folders]
    states = await context.store.mailboxes.read_many(places)
    late_before_ms = (time.time() - context.settings.sync_interval_s - _SYNC_SLACK_S) * 1000
    late = sorted(
        (state.synced_at, mailbox)
        for (mailbox, _), state in zip(places, states, strict=True)
        if state.synced_at < late_before_ms
    )
    figures["foldersLate"] += len(late)
    for mailbox in list(dict.fromkeys(mailbox for _, mailbox in late))[:_MOST_MAILBOXES]:
        if await context.store.mailboxes.want_sync(mailbox):
            await context.queue.sync(organization.id, mailbox)
            figures["mailboxesQueued"] += 1
