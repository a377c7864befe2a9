"""What is new in a mailbox: delta pages into the ledger, and from there into the queue."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from workers import logs, metrics
from workers.errors import (
    Busy,
    DeltaLinkExpired,
    EconeuraError,
    MailboxUnavailable,
    PermanentError,
    TemporaryError,
)
from workers.graph import changes, messages
from workers.organizations import Organization
from workers.pipeline import by_hand, counting
from workers.pipeline.context import Context
from workers.store import FolderState, NewMessage
from workers.store.keys import sender_fingerprint

_log = logs.get_logger("sync")
# A folder that is asked for without end must let its worker do other things.
_MOST_ROUNDS = 20
_LIST_ANEW_WITHIN_S = 5.0
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Look:
    """What every stage of a look at a folder needs; `owner` holds its lease."""

    context: Context
    organization: Organization
    mailbox: str
    folder: str
    owner: str
    notified_at_ms: int


async def sync_mailbox(
    context: Context, organization_id: str, mailbox: str, *, owner: str, notified_at_ms: int = 0
) -> int:
    """Synchronise every watched folder of a mailbox; returns how many messages were queued.

    One folder's trouble stays with it. Raises TemporaryError (Busy if a round must follow later) where a
    later try helps; what none helps is noted as the folder's state, and found out again by the timer.
    """
    await context.store.mailboxes.sync_started(mailbox)
    organization = context.organizations.get(organization_id)
    if organization is None or mailbox not in organization.mailboxes:
        _log.info("mailbox_not_configured")
        return 0
    queued, to_repeat = 0, []
    for folder in organization.folders:
        look = _Look(context, organization, mailbox, folder, owner, notified_at_ms)
        try:
            queued += await _sync_folder(look)
            if not notified_at_ms:
                # What people did since is no haste: the timer's look is soon enough.
                await by_hand.look(context, organization, mailbox, folder)
        except (PermanentError, MailboxUnavailable) as failed:
            metrics.ERRORS.labels(failed.code, "sync", "error").inc()
            _log.error("folder_not_synced", folder=folder, code=failed.code, reason=str(failed))
        except TemporaryError as failed:
            to_repeat.append(failed)
    if to_repeat:
        raise to_repeat[0]
    return queued


async def _sync_folder(look: _Look) -> int:
    """Follow a folder's delta to its end, and again as long as somebody asks meanwhile. One at a time."""
    mailboxes, place = look.context.store.mailboxes, (look.mailbox, look.folder)
    queued = 0
    for _ in range(_MOST_ROUNDS):
        state = await mailboxes.lease(*place, owner=look.owner, since_ms=_since_ms(look.organization))
        if state is None:
            # Whoever has it looks once more before letting go.
            return queued
        try:
            queued += await _round(look, state)
            queued += await _count(look, state)
        except EconeuraError as failed:
            await mailboxes.release(*place, owner=look.owner, error=failed.code)
            raise
        if not await mailboxes.release(*place, owner=look.owner):
            return queued
    raise Busy("the folder keeps changing", retry_after_s=1.0)


async def _round(look: _Look, state: FolderState) -> int:
    try:
        return await _follow(look, state, state.link)
    except DeltaLinkExpired as expired:
        # The ledger knows what was seen: listing the folder anew acts on nothing twice.
        _log.warning("delta_link_expired", folder=look.folder)
        metrics.ERRORS.labels(expired.code, "sync", "warning").inc()
        await look.context.store.mailboxes.forget_link(look.mailbox, look.folder, owner=look.owner)
        # Graph may have forgotten the links of many at once: they must not all be listed at once.
        wait_s = random.uniform(0.0, _LIST_ANEW_WITHIN_S)  # noqa: S311 no secret
        raise TemporaryError(str(expired), retry_after_s=wait_s, code=expired.code) from None


async def _follow(look: _Look, state: FolderState, link: str | None) -> int:
    graph = look.context.graph_of(look.organization.id)
    since = _from(look, state) if link is None else _moment(state.process_since_ms)
    listed = state.listed if link is not None else None
    queued = 0
    async for page in changes.pages(graph, look.mailbox, look.folder, link=link, listed=listed, since=since):
        queued += await _record(look, page.messages)
        following = page.delta_link or page.next_link
        # Also between pages: a killed worker goes on where it was, and its lease is shown to be alive.
        if following is not None:
            await _keep(look, following, page.listed)
    return queued


async def _keep(look: _Look, link: str, listed: int | None) -> None:
    mailboxes, place = look.context.store.mailboxes, (look.mailbox, look.folder)
    await mailboxes.lease(*place, owner=look.owner, since_ms=0)
    if not await mailboxes.save_link(*place, owner=look.owner, link=link, listed=listed):
        raise Busy("another worker has the folder by now", retry_after_s=1.0)


async def _count(look: _Look, state: FolderState) -> int:
    """Once a night, look for what even delta missed."""
    if not counting.is_due(state.counted_at, datetime.now(look.organization.zone)):
        return 0
    since = _from(look, state)
    if state.counted_at:
        # Earlier ones were counted then; a day more, for what arrived late.
        since = max(since, _moment(state.counted_at) - _DAY)
    graph = look.context.graph_of(look.organization.id)
    queued = 0
    async for missed in counting.missed(
        graph, look.context.store.ledger, look.mailbox, look.folder, since=since
    ):
        metrics.ERRORS.labels("missed_by_delta", "sync", "warning").inc(len(missed))
        _log.warning("missed_by_delta", folder=look.folder, count=len(missed))
        queued += await _record(look, missed)
    await look.context.store.mailboxes.note_counted(look.mailbox, look.folder, owner=look.owner)
    return queued


async def _record(look: _Look, found: Sequence[dict[str, Any]]) -> int:
    """Record what is new of these and queue it, all in one step each; returns how many were queued."""
    seen = [
        new_message(message, look.folder, look.notified_at_ms)
        for message in found
        if not message.get("isDraft")
    ]
    if not seen:
        return 0
    needed = await look.context.store.ledger.record(look.organization.id, look.mailbox, seen)
    if needed:
        ids = [message.message_id for message in needed]
        await look.context.queue.process(look.organization.id, look.mailbox, ids)
    return len(needed)


def new_message(message: dict[str, Any], folder: str, notified_at_ms: int = 0) -> NewMessage:
    """What the ledger keeps of a message as Graph gave it, perhaps in part; `folder` is the watched one."""
    fields: dict[str, str | int] = {
        "folder": folder,
        "folder_id": str(message.get("parentFolderId") or ""),
        "subject": str(message.get("subject") or "")[:500],
        "received_at": str(message.get("receivedDateTime") or ""),
        "sent_at": str(message.get("sentDateTime") or ""),
        "internet_message_id": str(message.get("internetMessageId") or ""),
        "sender": sender_fingerprint(messages.sender_of(message)),
    }
    # Graph may show an item in part: categories that it left out are not known to be none.
    if "categories" in message and (etag := message.get("@odata.etag")):
        fields |= {"etag": str(etag), "categories": orjson.dumps(message["categories"] or []).decode()}
    if notified_at_ms:
        fields["notified_at"] = notified_at_ms
    whole = messages.is_whole(message)
    return NewMessage(str(message["id"]), fields, content=message if whole else None)


def _from(look: _Look, state: FolderState) -> datetime:
    """From when on a listing of the folder is of use: what the ledger may have forgotten is not new again."""
    since = _moment(state.process_since_ms)
    if not state.was_listed:
        return since
    remembered = timedelta(days=look.context.settings.ledger_retention_days) - _DAY
    return max(since, datetime.now(UTC) - remembered)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _since_ms(organization: Organization) -> int:
    since = organization.process_since
    return 0 if since is None else int(since.timestamp() * 1000)
