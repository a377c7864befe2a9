"""Many messages named by a caller: fetched four to a round trip, then queued."""

from __future__ import annotations

from collections.abc import Sequence

from workers import logs
from workers.graph import batch, messages, paths
from workers.graph.batch import Part
from workers.pipeline.context import Context
from workers.pipeline.syncing import new_message
from workers.store import NewMessage

_log = logs.get_logger("pipeline")


async def queue_all(
    context: Context,
    organization_id: str,
    mailbox: str,
    message_ids: Sequence[str],
    *,
    job_id: str,
    priority: str,
) -> None:
    """Park what the ledger does not know of these, and queue them all in one step.

    What cannot be fetched here is fetched (or found missing) when its turn comes.
    """
    organization = context.organizations.get(organization_id)
    known = await context.store.ledger.known(mailbox, message_ids)
    unknown = [message_id for message_id in dict.fromkeys(message_ids) if message_id not in known]
    if unknown and organization is not None and mailbox in organization.mailboxes:
        await _park(context, organization_id, mailbox, unknown)
    await context.queue.process(organization_id, mailbox, message_ids, job_id=job_id, priority=priority)


async def _park(context: Context, organization_id: str, mailbox: str, message_ids: Sequence[str]) -> None:
    graph = context.graph_of(organization_id)
    parts = [
        Part("GET", paths.message(mailbox, message_id), mailbox, params=messages.SELECT)
        for message_id in message_ids
    ]
    outcomes = await batch.run(graph, parts)
    found = []
    for message_id, outcome in zip(message_ids, outcomes, strict=True):
        if isinstance(outcome, dict):
            seen = new_message(outcome, "")
            # By the id that the caller named: Graph may answer with another form of it.
            found.append(NewMessage(message_id, {**seen.fields, "source": "api"}, seen.content))
    _log.info("fetched_in_batches", asked=len(parts), found=len(found))
    if found:
        await context.store.ledger.record(organization_id, mailbox, found)
