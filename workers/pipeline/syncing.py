"""What is new in a mailbox: delta pages into the ledger, and from there into the queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from workers import logs, metrics
from workers.errors import Busy, DeltaLinkExpired, EconeuraError
from workers.graph import changes, messages
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.store import FolderState, NewMessage

_log = logs.get_logger("sync")
# A folder that is asked for without end must let its worker do other things.
_MOST_ROUNDS = 20


async def sync_mailbox(
    context: Context, organization_id: str, mailbox: str, *, owner: str, notified_at_ms: int = 0
) -> int:
    """Synchronise every watched folder of a mailbox; returns how many messages were queued.

    Raises Busy if a round must follow later, TemporaryError and PermanentError as Graph's answers mean.
    """
    organization = context.organization(organization_id)
    await context.store.mailboxes.sync_started(mailbox)
    return sum(
        [
            await sync_folder(
                context, organization, mailbox, folder, owner=owner, notified_at_ms=notified_at_ms
            )
            for folder in organization.folders
        ]
    )


async def sync_folder(
    context: Context,
    organization: Organization,
    mailbox: str,
    folder: str,
    *,
    owner: str,
    notified_at_ms: int = 0,
) -> int:
    """Follow a folder's delta to its end, and again as long as somebody asks meanwhile. One at a time."""
    mailboxes = context.store.mailboxes
    queued = 0
    for _ in range(_MOST_ROUNDS):
        state = await mailboxes.lease(mailbox, folder, owner=owner, since_ms=_since_ms(organization))
        if state is None:
            # Whoever has it looks once more before letting go.
            return queued
        try:
            queued += await _round(context, organization, mailbox, folder, state, owner, notified_at_ms)
        except EconeuraError as failed:
            await mailboxes.release(mailbox, folder, owner=owner, error=failed.code)
            raise
        if not await mailboxes.release(mailbox, folder, owner=owner):
            return queued
    raise Busy("the folder keeps changing", retry_after_s=1.0)


async def _round(
    context: Context,
    organization: Organization,
    mailbox: str,
    folder: str,
    state: FolderState,
    owner: str,
    notified_at_ms: int,
) -> int:
    try:
        return await _follow(context, organization, mailbox, folder, state, state.link, owner, notified_at_ms)
    except DeltaLinkExpired:
        # The ledger knows what was seen: listing the folder anew acts on nothing twice.
        _log.warning("delta_link_expired", folder=folder)
        metrics.ERRORS.labels("delta_link_expired", "sync", "warning").inc()
        await context.store.mailboxes.forget_link(mailbox, folder, owner=owner)
        return await _follow(context, organization, mailbox, folder, state, None, owner, notified_at_ms)


async def _follow(
    context: Context,
    organization: Organization,
    mailbox: str,
    folder: str,
    state: FolderState,
    link: str | None,
    owner: str,
    notified_at_ms: int,
) -> int:
    graph = context.graph_of(organization.id)
    since = datetime.fromtimestamp(state.process_since_ms / 1000, UTC)
    queued = 0
    async for page in changes.pages(graph, mailbox, folder, link=link, since=since):
        seen = [
            _new_message(message, folder, notified_at_ms)
            for message in page.messages
            if not message.get("isDraft")
        ]
        queued += await _record(context, organization.id, mailbox, seen)
        following = page.delta_link or page.next_link
        # Also between pages: a killed worker goes on where it was, and its lease is shown to be alive.
        if following is not None:
            await context.store.mailboxes.lease(mailbox, folder, owner=owner, since_ms=0)
            if not await context.store.mailboxes.save_link(mailbox, folder, owner=owner, link=following):
                raise Busy("another worker has the folder by now", retry_after_s=1.0)
    return queued


async def _record(context: Context, organization_id: str, mailbox: str, seen: Sequence[NewMessage]) -> int:
    if not seen:
        return 0
    needed = await context.store.ledger.record(organization_id, mailbox, seen)
    if needed:
        ids = [message.message_id for message in needed]
        await context.queue.process(organization_id, mailbox, ids)
    return len(needed)


def _new_message(message: dict[str, Any], folder: str, notified_at_ms: int) -> NewMessage:
    fields: dict[str, str | int] = {
        "folder": folder,
        "folder_id": str(message.get("parentFolderId") or ""),
        "subject": str(message.get("subject") or "")[:500],
        "received_at": str(message.get("receivedDateTime") or ""),
        "sent_at": str(message.get("sentDateTime") or ""),
        "internet_message_id": str(message.get("internetMessageId") or ""),
    }
    if notified_at_ms:
        fields["notified_at"] = notified_at_ms
    whole = messages.is_whole(message)
    return NewMessage(str(message["id"]), fields, content=message if whole else None)


def _since_ms(organization: Organization) -> int:
    since = organization.process_since
    return 0 if since is None else int(since.timestamp() * 1000)
