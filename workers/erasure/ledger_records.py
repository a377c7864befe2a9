"""The ledger's part: records of messages from, or about, a correspondent, and their parked content."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from workers.erasure.search import Search
from workers.store import Store
from workers.store.record import FINISHED

_KEYS_A_STEP = 200


@dataclass(frozen=True)
class Held:
    """A message that the ledger holds something of the correspondent for."""

    mailbox: str
    message_id: str
    has_ended: bool


async def pages(store: Store, kind: str = "") -> AsyncIterator[list[str]]:
    """All keys of a kind ("": of every kind), some hundred at a time; a key may come twice."""
    namespace = store.keys.namespace
    # With partitions the queue and the schedule have tags of their own.
    patterns = [f"{{{namespace}}}:{kind}:*"] if kind else [f"{{{namespace}}}:*", f"{{{namespace}:*}}:*"]
    for pattern in patterns:
        page: list[str] = []
        async for key in store.redis.scan_iter(match=pattern, count=_KEYS_A_STEP):
            page.append(key.decode())
            if len(page) >= _KEYS_A_STEP:
                yield page
                page = []
        if page:
            yield page


async def find(store: Store, search: Search) -> list[Held]:
    """Every message from the correspondent, or whose record names the address."""
    person, held = search.person, {}
    async for keys in pages(store, "email"):
        async with store.redis.pipeline(transaction=False) as reads:
            for key in keys:
                reads.hgetall(key)
            records = await reads.execute()
        for key, fields in zip(keys, records, strict=True):
            if not search.covers(fields.get(b"organization", b"").decode()):
                continue
            is_from_them = fields.get(b"sender", b"").decode() == person.fingerprint
            if is_from_them or any(map(person.is_named_in, fields.values())):
                mailbox, message_id, state = (
                    fields.get(name, b"").decode() for name in (b"mailbox", b"message_id", b"state")
                )
                held[key] = Held(mailbox, message_id, state in FINISHED)
    return list(held.values())


async def contents(store: Store, search: Search) -> list[str]:
    """Keys of parked contents that name the correspondent, of messages that ended (dead ones keep theirs).

    That of a message in hand is still needed, and goes with its end.
    """
    found = []
    async for keys in pages(store, "content"):
        async with store.redis.pipeline(transaction=False) as reads:
            for key in keys:
                mailbox, _, message_id = key.partition("}:content:")[2].partition(":")
                reads.get(key)
                reads.hmget(store.keys.email(mailbox, message_id), "state", "organization", "message_id")
            replies = await reads.execute()
        for key, parked, record in zip(keys, replies[::2], replies[1::2], strict=True):
            state, organization_id, message_id = (part.decode() if part else "" for part in record)
            if parked is None or state not in FINISHED or not search.covers(organization_id):
                continue
            if message_id in search.ended or search.person.is_named_in(zlib.decompress(parked)):
                found.append(key)
    return list(dict.fromkeys(found))
