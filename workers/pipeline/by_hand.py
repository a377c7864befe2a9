"""What people show by hand: a category that they changed, a message that they moved. Taken as said, if clear.

Our own effects come back through delta, too, and late: what a page shows only makes us look again. What the
message is like then decides, and whatever may mean more than one thing means nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from workers import logs, metrics
from workers.analysis.result import CATEGORIES
from workers.decisions import REVIEW, URGENT, default_rules, rule_named
from workers.errors import DeltaLinkExpired, NotFound, PermanentError, TemporaryError
from workers.graph import filings, folders, messages
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.pipeline.learning import Said, labels_of, learn
from workers.store import Record

_log = logs.get_logger("learning")
# Who moves more at once is clearing up.
_MOST_MOVED = 20
_JUNK = "junkemail"
# When it is first looked for, or Graph has forgotten where we were.
_LOOKED_BACK = timedelta(days=7)


@dataclass(frozen=True)
class Now:
    """A message as Graph has it: its categories, and the id of its folder."""

    categories: Sequence[str]
    folder_id: str


async def look(context: Context, organization: Organization, mailbox: str, folder: str) -> None:
    """Follow what changed in a watched folder, and queue a closer look at what people may have filed anew.

    Trouble of Graph with it is no trouble for the mail: it is left for the next time.
    """
    mailboxes, graph = context.store.mailboxes, context.graph_of(organization.id)
    link = await mailboxes.filings_link(mailbox, folder)
    try:
        async for page in filings.pages(
            graph, mailbox, folder, link=link, since=datetime.now(UTC) - _LOOKED_BACK
        ):
            await _notice(context, organization, mailbox, page.messages, page.removed)
            if following := page.delta_link or page.next_link:
                await mailboxes.save_filings_link(mailbox, folder, following)
    except DeltaLinkExpired:
        await mailboxes.save_filings_link(mailbox, folder, None)
    except (TemporaryError, PermanentError) as failed:
        metrics.ERRORS.labels(failed.code, "by_hand", "warning").inc()
        _log.warning("changes_by_hand_not_seen", folder=folder, code=failed.code)


async def _notice(
    context: Context,
    organization: Organization,
    mailbox: str,
    found: Sequence[Mapping[str, Any]],
    removed: Sequence[str],
) -> None:
    left = removed if len(removed) <= _MOST_MOVED else ()
    shown = {str(message["id"]): message for message in found if "categories" in message}
    ids = [*shown, *left]
    if not ids:
        return
    records = await context.store.ledger.read_many(mailbox, ids)
    spoken_of = await context.store.corrections.known(organization.id, ids)
    suspects = [
        record.message_id
        for record in records
        if record is not None
        and (
            _is_suspect(record, organization, shown.get(record.message_id))
            # Perhaps it is back where it was.
            or (record.message_id in spoken_of and record.message_id in shown)
        )
    ]
    if suspects:
        await context.queue.look_again(organization.id, mailbox, suspects)


async def learn_from_hand(
    context: Context, organization: Organization, mailbox: str, message_id: str
) -> None:
    """Look at a message, and learn from what a person did with it; nothing, where that is not clear."""
    record = await context.store.ledger.read(mailbox, message_id)
    if record is None or record.organization_id != organization.id or not _was_ours(record):
        return
    graph = context.graph_of(organization.id)
    try:
        message = await messages.filed(graph, mailbox, message_id)
    except NotFound:
        return
    now = Now(tuple(message.get("categories") or ()), str(message.get("parentFolderId") or ""))
    said = said_by_categories(record, organization, now)
    if said is None:
        is_junk = now.folder_id == await folders.id_of(graph, mailbox, _JUNK)
        said = said_by_folder(record, organization, now, is_junk=is_junk)
    former = await context.store.corrections.get(organization.id, message_id)
    if said is None:
        if former is not None and former.source == "folder" and now.folder_id == record.folder_id:
            # Moved there and back again: it was not meant.
            await context.store.corrections.withdraw(
                organization.id, message_id, by="mailbox", source="folder"
            )
        return
    if former is None or (former.source != "person" and former.labels != said.labels):
        await learn(context, organization, mailbox, message_id, said)


def said_by_categories(record: Record, organization: Organization, now: Now) -> Said | None:
    """What a category that was set by hand says; None where none was, or another stands beside it."""
    meaning = meanings(organization)
    ours = _ours(record)
    before = ours | _folded(record.categories)
    added = {meaning[name] for name in _folded(now.categories) - before if name in meaning}
    kept = {meaning[name] for name in _folded(now.categories) & before if name in meaning}
    if len(added) != 1 or kept - added:
        return None
    (category,) = added
    values = {"category": category}
    return Said(values, labels_of(values, organization), "category", "mailbox", _now_ms())


def said_by_folder(record: Record, organization: Organization, now: Now, *, is_junk: bool) -> Said | None:
    """What the folder says to which it was moved by hand: junk is spam, and what came back from our archiving
    is not what it was archived for."""
    archived = any(step.type == "archive" and step.status == "done" for step in record.steps)
    if is_junk:
        values = {"category": "spam"}
        return Said(values, labels_of(values, organization), "folder", "mailbox", _now_ms())
    rule = rule_named(organization, str((record.decision or {}).get("rule") or ""))
    if not archived or rule is None or now.folder_id != record.folder_id or len(rule.when.category) != 1:
        return None
    others = tuple(category for category in CATEGORIES if category not in rule.when.category)
    if len(others) == len(CATEGORIES):
        return None
    return Said({}, {"category": others}, "folder", "mailbox", _now_ms())


def meanings(organization: Organization) -> dict[str, str]:
    """What the name of a category in Outlook says: that of the one category whose rules set it, or itself."""
    found: dict[str, set[str]] = {}
    for rule in organization.rules or default_rules(organization):
        for step in rule.then:
            if step.category is not None and len(rule.when.category) == 1:
                found.setdefault(step.category.casefold(), set()).update(rule.when.category)
    for name in (*CATEGORIES, *organization.categories):
        found.setdefault(name.casefold(), {name})
    return {
        name: next(iter(categories))
        for name, categories in found.items()
        if len(categories) == 1 and name not in (URGENT, REVIEW)
    }


def _is_suspect(record: Record, organization: Organization, shown: Mapping[str, Any] | None) -> bool:
    if not _was_ours(record):
        return False
    archived = any(step.type == "archive" and step.status == "done" for step in record.steps)
    if shown is None:
        return not archived
    now = Now(tuple(shown.get("categories") or ()), str(shown.get("parentFolderId") or ""))
    return archived or said_by_categories(record, organization, now) is not None


def _was_ours(record: Record) -> bool:
    """Whether it was analysed and is done; one that was only named through the API is known too little."""
    return record.state == "done" and record.analysis is not None and bool(record.folder)


def _ours(record: Record) -> set[str]:
    steps = (step for step in record.steps if step.type == "categorize" and step.status == "done")
    return {name.casefold() for step in steps for name in step.categories}


def _folded(names: Collection[str]) -> set[str]:
    return {name.casefold() for name in names}


def _now_ms() -> int:
    return int(time.time() * 1000)
