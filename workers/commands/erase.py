"""Erase what is kept of one correspondent.

  econeura erase --address ana@client.example --dry-run
  econeura erase --address ana@client.example --organization acme

Messages from that address, and what names it: ledger records are emptied (ids, states and times stay, so that
no message is taken for a new one); parked contents, results, lines of the journal, dead letters and the rest
are removed. Messages in hand are left and counted: run it again when they have ended. Exports and reports are
named, not changed. Mailboxes at Microsoft are not touched. The audit log notes that it was done.

Exit code 0 where nothing of it is left in Redis, 1 where something is (messages in hand).
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from workers.commands import session

if TYPE_CHECKING:
    from workers.erasure.correspondent import Correspondent
    from workers.erasure.erased import Erased
    from workers.organizations import Organizations
    from workers.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", required=True, metavar="ADDRESS", help="the correspondent's address")
    parser.add_argument(
        "--organization",
        action="append",
        metavar="ID",
        help="of this organization alone; may be given several times (default: all)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say how much it would be")


def run(arguments: argparse.Namespace) -> int:
    """Returns 1 where something is left."""
    with session.begun("erase") as settings:
        from workers.erasure.correspondent import Correspondent
        from workers.organizations import load_organizations

        person = Correspondent(arguments.address)
        _require_stranger(person, load_organizations(settings.organizations))
        done = asyncio.run(_erase(settings, person, arguments))
    print("\n".join(_told(done)))
    return 0 if done.is_complete or done.dry_run else 1


async def _erase(settings: Settings, person: Correspondent, arguments: argparse.Namespace) -> Erased:
    from workers import redaction
    from workers.broker import Broker
    from workers.erasure.erase import Places, erase
    from workers.redis_clients import connect_sync
    from workers.store import Change, Store

    organizations, dry_run = arguments.organization, arguments.dry_run
    whose = organizations[0] if organizations and len(organizations) == 1 else ""
    masked = redaction.masked(person.address)
    broker = Broker(settings.namespace, partitions=settings.partitions)
    broker.connect(connect_sync(settings))
    async with Store.open(settings) as store:

        async def note(what: str, **counts: int) -> None:
            if not dry_run:
                await store.audit.note(Change(what, session.operator(), whose, masked, counts))

        try:
            # Before and after: one that is cut off is known to have begun.
            await note("erasure.begun")
            places = Places(settings, store, broker)
            done = await erase(places, person, organizations=organizations, dry_run=dry_run)
            removed = sum(done.counts().values())
            await note("erasure.done", removed=removed, in_hand=done.in_hand, files=len(done.files))
        finally:
            broker.close()
    return done


def _require_stranger(person: Correspondent, organizations: Organizations) -> None:
    from workers.errors import SettingsError

    if organizations.is_ours(person.address):
        raise SettingsError(
            f"--address: {person.address} is a configured mailbox, not a correspondent: "
            "take it out of the organizations file instead"
        )


def _told(done: Erased) -> Iterator[str]:
    if done.dry_run:
        yield "dry run: nothing is changed"
    for what, count in done.counts().items():
        yield f"{count:>8}  {what}"
    if done.in_hand:
        yield f"{done.in_hand:>8}  messages in hand, left as they are: run this again when they have ended"
    for kind, count in done.left.items():
        yield f"{count:>8}  keys of the kind {kind!r} still name the address"
    if done.files:
        yield "files that hold it, not changed (rows of theirs; rows of the same domain that may be):"
    for file in done.files:
        yield f"{file.rows:>8} {file.perhaps:>8}  {file.path}"
    for place in done.not_searched:
        yield f"not looked into: {place}"
