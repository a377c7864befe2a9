"""Where the text of a message comes from: parked by the synchronisation, else fetched, and parked then."""

from __future__ import annotations

from typing import Any

from workers.graph import messages
from workers.pipeline.context import Context
from workers.store import Record


async def content_of(context: Context, record: Record) -> dict[str, Any]:
    """The message as Graph's JSON; raises NotFound where neither we nor Graph have it any more."""
    parked = record.parked or await context.store.ledger.content(record.mailbox, record.message_id)
    if parked is not None:
        return parked
    graph = context.graph_of(record.organization_id)
    content = await messages.get_message(graph, record.mailbox, record.message_id)
    if not record.is_finished:
        # Actions need it, too, at each try: where a mailbox has a long line, there are many.
        await context.store.ledger.park(record.mailbox, record.message_id, content)
    return content


async def content_with_attachments(context: Context, record: Record) -> dict[str, Any]:
    """The message with its attachments' names, types and sizes, which delta does not tell."""
    content = await content_of(context, record)
    return await messages.with_attachments(context.graph_of(record.organization_id), record.mailbox, content)
