"""Two organizations of one service, each with one of everything; every id of theirs tells whose it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from tests.dead_letters import Killer
from workers.reports import files
from workers.store import Change, Correction, Delivery, NewJob, NewMessage, Store, Subscription

DAY, WEEK = "2026-11-21", "2026-W47"
_AT = "2026-11-22T10:00:00.000Z"
_TIMES = ("2099-01-01T00:00:00+00:00", "2026-11-22T10:00:00+00:00")
_ORGANIZATION = """
[organizations.{organization}]
tenant_id = "tenant-{organization}"
client_id = "client-{organization}"
client_secret = "file:secret"
mailboxes = ["{mailbox}", "otro@{organization}.example"]
rules = [{{ name = "{rule}", then = [{{ categorize = "Visto" }}] }}]
webhooks.{webhook} = {{ url = "https://{organization}.example/3f9c", secret = "file:secret" }}
"""
Belongings = Mapping[str, str]
"""Kind of a thing (organization, mailbox, message ...) -> its id. Days and weeks are the same for all."""


def belongings(organization: str) -> Belongings:
    """The ids of what an organization has. Its dead letters are numbered by the queue: `letter` is later."""
    kinds = ("rule", "message", "job", "bulk_job", "subscription", "webhook", "event")
    return {
        "organization": organization,
        "mailbox": f"buzon@{organization}.example",
        **{kind: f"{organization}-{kind}" for kind in kinds},
        "letter": "99999",
        "day": DAY,
        "week": WEEK,
    }


def settings_of(*owners: Belongings) -> str:
    """The organizations file (TOML)."""
    return "".join(_ORGANIZATION.format(**owner) for owner in owners)


async def furnish(store: Store, data_dir: Path, kill: Killer, owner: Belongings, *, letters: int) -> None:
    """Give an organization one of everything, and so many dead letters."""
    organization, mailbox, message = owner["organization"], owner["mailbox"], owner["message"]
    for job, kind, total in (("job", "process_email", 0), ("bulk_job", "process_bulk", 2)):
        await store.jobs.record(NewJob(owner[job], kind, organization, _AT, total)).write(store.redis)
    subject = {"subject": f"De {organization}"}
    await store.ledger.record(organization, mailbox, [NewMessage(message, subject)])
    await store.subscriptions.save(
        Subscription(owner["subscription"], organization, mailbox, "inbox", "s", *_TIMES)
    )
    await store.audit.note(Change("organization.paused", f"key:{organization}", organization))
    correction = Correction(message, 1, "person", "key:1", {"category": "sales"}, {}, b"")
    await store.corrections.keep(organization, correction, {})
    delivery = Delivery(owner["event"], "email.done", _AT, "failed", 1, 500, f"no {organization}", 3, _AT)
    await store.webhooks.log(organization, owner["webhook"], delivery)
    _write_files(data_dir, organization)
    kill(letters, organization)


def _write_files(data_dir: Path, organization: str) -> None:
    report = json.dumps({"organizationId": organization}).encode()
    files.write(data_dir, organization, date.fromisoformat(DAY), "json", report)
    files.write(data_dir, organization, date.fromisoformat(DAY), "html", f"<p>{organization}".encode())
    week = data_dir / "exports" / organization / WEEK
    week.mkdir(parents=True)
    (week / "ledger.csv").write_text(f"a,b\r\n1,{organization}\r\n")
    manifest = {"from": "2026-11-16", "until": "2026-11-23", "records": 1, "files": []}
    (week / "manifest.json").write_text(json.dumps(manifest))


def told_of(client: Any, word: str) -> set[tuple[bytes, ...]]:
    """Whatever Redis (a client of it) holds in which a word occurs: the key, and the parts of it."""
    return {
        (key, *parts)
        for key in client.scan_iter(count=1000)
        for parts in _parts(client, key)
        if any(word.encode() in part for part in (key, *parts))
    }


def _parts(client: Any, key: bytes) -> Iterator[tuple[bytes, ...]]:
    match client.type(key):
        case b"hash":
            yield from client.hgetall(key).items()
        case b"set":
            yield from ((member,) for member in client.smembers(key))
        case b"list":
            yield from ((entry,) for entry in client.lrange(key, 0, -1))
        case b"zset":
            for member, score in client.zrange(key, 0, -1, withscores=True):
                yield member, repr(score).encode()
        case b"stream":
            for entry_id, fields in client.xrange(key):
                yield entry_id, *(part for pair in fields.items() for part in pair)
        case _:
            yield (client.get(key) or b"",)
