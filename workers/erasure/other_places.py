"""What else Redis holds of a correspondent: lines, results, answers, limits, letters, deliveries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from workers.broker import Broker
from workers.broker.dead_letters import DeadLetter, Filter
from workers.erasure.ledger_records import pages
from workers.erasure.search import Search
from workers.store import Store

_PAGE = 500


async def journal_lines(store: Store, search: Search) -> dict[str, list[str]]:
    """Organization -> entry ids of its journal's lines; of organizations no longer configured, too."""
    found: dict[str, list[str]] = {}
    async for keys in pages(store, "journal"):
        for key in keys:
            organization_id = _rest(key)
            if search.covers(organization_id):
                found[organization_id] = [
                    entry_id
                    async for entry_id, line in store.journal.lines(organization_id)
                    if search.concerns(orjson.dumps(line))
                ]
    return found


async def job_results(store: Store, search: Search) -> list[str]:
    """Keys of API jobs with such a result."""

    def is_theirs(fields: dict[bytes, bytes]) -> bool:
        told = fields.get(b"result", b"") + fields.get(b"error", b"")
        return search.covers(fields.get(b"organization", b"").decode()) and search.concerns(told)

    return await _read(store, "job", "hgetall", is_theirs)


async def kept_answers(store: Store, search: Search) -> list[str]:
    """Keys of answers to named requests. They belong to no organization; their body is JSON in JSON."""
    return await _read(
        store, "idempotent", "get", lambda answer: search.concerns(answer.replace(b'\\"', b'"'))
    )


async def model_answers(store: Store, search: Search) -> list[str]:
    """Keys of a language model's answers; what it is asked is redacted, so they should name nobody."""
    return await _read(store, "llm:answer", "get", search.person.is_named_in)


async def corrections(store: Store, search: Search) -> dict[str, set[str]]:
    """Organization -> ids of the messages of which people said what is right (numbers are kept, no text)."""
    found: dict[str, set[str]] = {}
    for kind in ("corrections", "correction-changes"):
        async for keys in pages(store, kind):
            for organization_id in map(_rest, keys):
                if search.covers(organization_id) and organization_id not in found:
                    found[organization_id] = await store.corrections.about(
                        organization_id, search.ended, search.person.fingerprint
                    )
    return found


async def reply_limits(store: Store, search: Search) -> list[str]:
    """Keys that keep a rule from answering the correspondent again too soon."""
    found = []
    async for keys in pages(store, "answered"):
        for key in keys:
            organization_id, _, rest = _rest(key).partition(":")
            if search.covers(organization_id) and rest.rpartition(":")[2] == search.person.fingerprint:
                found.append(key)
    return list(dict.fromkeys(found))


async def webhook_deliveries(store: Store, search: Search) -> dict[str, list[bytes]]:
    """Key of a webhook's log -> deliveries in it."""
    found: dict[str, list[bytes]] = {}
    async for keys in pages(store, "webhook-log"):
        for key in keys:
            if search.covers(_rest(key).partition(":")[0]):
                log = await store.redis.hgetall(key)
                found[key] = [delivery_id for delivery_id, told in log.items() if search.concerns(told)]
    return found


def dead_letters(broker: Broker, search: Search) -> list[str]:
    """Ids of the letters about such messages alone, or that name the correspondent. Blocks."""

    def is_theirs(letter: DeadLetter) -> bool:
        told = letter.kwargs
        about = {*told.get("message_ids", ()), told.get("message_id")} - {None}
        text = f"{letter.error}\n{letter.traceback}\n".encode() + orjson.dumps(told, default=str)
        # One that is about others, too, is theirs to send again; it holds no more than ids.
        return bool(about and about <= search.ended) or search.person.is_named_in(text)

    found, cursor = [], None
    while True:
        wanted = Filter(organizations=search.organizations)
        page, cursor = broker.dead_letters.page(wanted, limit=_PAGE, cursor=cursor)
        found += [letter.id for letter in page if is_theirs(letter)]
        if cursor is None:
            return found


async def _read(store: Store, kind: str, command: str, is_theirs: Callable[[Any], bool]) -> list[str]:
    found = []
    async for keys in pages(store, kind):
        async with store.redis.pipeline(transaction=False) as reads:
            for key in keys:
                getattr(reads, command)(key)
            values = await reads.execute()
        found += [key for key, value in zip(keys, values, strict=True) if value and is_theirs(value)]
    return list(dict.fromkeys(found))


def _rest(key: str) -> str:
    """What follows the tag and the kind."""
    return key.partition("}:")[2].partition(":")[2]
