"""Erase what is kept of one correspondent, the ledger last: what is cut off is repeated whole.

| what | is done |
| --- | --- |
| ledger record of a message that ended | emptied: id, state and times stay, lest it be taken for new |
| parked content, results, kept answers, limits on replies, deliveries, lines of the journal | removed |
| correction of the analysis | forgotten, and what was learned of it |
| dead letter about such messages alone | dropped: it cannot be sent again |
| message in hand | left, and counted: it ends first, then another run erases it |
| exports, reports | named, with how many rows: they are files, and perhaps copied |
| mailboxes at Microsoft; what guards against a second reply (digests, message ids) | not touched |
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TypeVar

from workers.broker import Broker
from workers.erasure import files, ledger_records, other_places
from workers.erasure.correspondent import Correspondent
from workers.erasure.erased import Erased
from workers.erasure.left_over import still_named
from workers.erasure.search import Search
from workers.settings import Settings
from workers.store import Store

_AT_ONCE = 500
Part = TypeVar("Part")


@dataclass(frozen=True)
class Places:
    """Where data are kept."""

    settings: Settings
    store: Store
    broker: Broker


async def erase(
    places: Places,
    person: Correspondent,
    *,
    organizations: Collection[str] | None = None,
    dry_run: bool = False,
) -> Erased:
    """Erase, or with `dry_run` count; `organizations` bounds it to these (None: all, also former ones).

    Safe to repeat at any point. Raises RedisError.
    """
    store, done = places.store, Erased(dry_run)
    search = Search(person, organizations)
    held = await ledger_records.find(store, search)
    in_hand = [item for item in held if not item.has_ended]
    ended = [item for item in held if item.has_ended]
    search = replace(search, ended=frozenset(item.message_id for item in ended))
    await _name_files(places, search, done)
    await _drop_letters(places.broker, search, done)
    await _drop_keys(store, search, done)
    await _drop_results(store, search, done)
    await _drop_deliveries(store, search, done)
    await _drop_lines(store, search, done)
    await _drop_corrections(store, search, done)
    done.in_hand, done.records = len(in_hand), len(ended)
    if not dry_run:
        done.records = sum([await store.ledger.empty(item.mailbox, item.message_id) for item in ended])
        if organizations is None:
            needed = {store.keys.email(item.mailbox, item.message_id) for item in in_hand}
            done.left = await still_named(store, person, leave_out=needed)
    return done


async def _name_files(places: Places, search: Search, done: Erased) -> None:
    folders, done.not_searched = files.export_folders(places.settings)
    rows = await asyncio.to_thread(files.export_rows, folders, search)
    # What the ledger still knows, and did not find, is somebody else's of that domain.
    strangers = {
        row
        for row in rows
        if not row.is_certain and await places.store.ledger.known(row.mailbox, [row.message_id])
    }
    done.files = files.weeks_with(row for row in rows if row not in strangers)
    done.files += await asyncio.to_thread(files.reports_naming, places.settings.data_dir, search)


async def _drop_letters(broker: Broker, search: Search, done: Erased) -> None:
    letters = await asyncio.to_thread(other_places.dead_letters, broker, search)
    done.dead_letters = len(letters)
    if not done.dry_run:
        for letter in letters:
            await asyncio.to_thread(broker.dead_letters.purge, letter)


async def _drop_keys(store: Store, search: Search, done: Erased) -> None:
    contents = await ledger_records.contents(store, search)
    answers = await other_places.kept_answers(store, search)
    limits = await other_places.reply_limits(store, search)
    of_model = await other_places.model_answers(store, search)
    done.contents, done.kept_answers = len(contents), len(answers)
    done.reply_limits, done.model_answers = len(limits), len(of_model)
    if not done.dry_run:
        for keys in _in_steps([*contents, *answers, *limits, *of_model]):
            await store.redis.unlink(*keys)


async def _drop_results(store: Store, search: Search, done: Erased) -> None:
    jobs = await other_places.job_results(store, search)
    done.job_results = len(jobs)
    if not done.dry_run:
        for key in jobs:
            # How it ended stays: whoever handed it in may still ask.
            await store.redis.hdel(key, "result", "error")


async def _drop_deliveries(store: Store, search: Search, done: Erased) -> None:
    for log, deliveries in (await other_places.webhook_deliveries(store, search)).items():
        done.webhook_deliveries += len(deliveries)
        if not done.dry_run:
            for some in _in_steps(deliveries):
                await store.redis.hdel(log, *some)
                await store.redis.zrem(log.replace(":webhook-log:", ":webhook-order:"), *some)


async def _drop_lines(store: Store, search: Search, done: Erased) -> None:
    for organization_id, lines in (await other_places.journal_lines(store, search)).items():
        done.journal_lines += len(lines)
        if not done.dry_run:
            for some in _in_steps(lines):
                await store.redis.xdel(store.keys.journal(organization_id), *some)


async def _drop_corrections(store: Store, search: Search, done: Erased) -> None:
    for organization_id, message_ids in (await other_places.corrections(store, search)).items():
        done.corrections += len(message_ids)
        if message_ids and not done.dry_run:
            await store.corrections.forget(organization_id, message_ids)


def _in_steps(parts: list[Part]) -> list[list[Part]]:
    return [parts[first : first + _AT_ONCE] for first in range(0, len(parts), _AT_ONCE)]
