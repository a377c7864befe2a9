"""API keys: create one, list them, revoke one.

  econeura keys create --name crm --scope read,submit --organization acme --expires-days 90
  econeura keys create --name desk --scope read --organization acme --organization solo
  econeura keys list
  econeura keys revoke ID

Scopes: read (see), submit (hand in mail), operate (change what runs), admin (drop for good). As soon as one
key exists, every request but those to /listen, /health/live and /health/ready needs one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workers.commands import session
from workers.commands.table import print_table

if TYPE_CHECKING:
    from workers.scopes import Scope
    from workers.settings import Settings
    from workers.store import ApiKeys, Store

_LONGEST_NAME = 100
_LONGEST_DAYS = 36500
_COLUMNS = ("ID", "NAME", "SCOPES", "ORGANIZATIONS", "CREATED", "EXPIRES", "LAST USED")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a key; it is printed now and never again")
    create.add_argument("--name", required=True, type=_name, help="what or whom it is for")
    create.add_argument(
        "--scope",
        required=True,
        type=_scopes,
        metavar="SCOPE,…",
        help="of read, submit, operate, admin; none includes another",
    )
    create.add_argument(
        "--organization",
        action="append",
        default=[],
        metavar="ID",
        help="it sees and does only what is this organization's; may be given several times",
    )
    create.add_argument("--expires-days", type=_days, metavar="N", help="it ends after so many days")
    actions.add_parser("list", help="show the keys: whose, for what, until when, when last used")
    revoke = actions.add_parser("revoke", help="end a key within a second or two")
    revoke.add_argument("id", metavar="ID", help="as `list` shows it")


def run(arguments: argparse.Namespace) -> int:
    """Returns 1 where there is no key to revoke."""
    with session.begun("keys") as settings:
        return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    from workers.store import Store

    async with Store.open(settings) as store:
        if arguments.action == "create":
            return await _create(arguments, settings, store)
        if arguments.action == "list":
            return await _list(store.api_keys)
        return await _revoke(arguments.id, store)


async def _create(arguments: argparse.Namespace, settings: Settings, store: Store) -> int:
    from workers.errors import SettingsError
    from workers.organizations import load_organizations
    from workers.store import Change
    from workers.store.api_keys import new_key

    organizations = tuple(dict.fromkeys(arguments.organization))
    configured = load_organizations(settings.organizations)
    for organization in organizations:
        if configured.get(organization) is None:
            raise SettingsError(f"--organization: no organization {organization!r} is configured")
    days = arguments.expires_days
    key, text = new_key(
        arguments.name,
        arguments.scope,
        organizations=organizations,
        expires_in_s=None if days is None else days * 86400,
    )
    await store.api_keys.add(key)
    told = {"name": key.name, "scopes": ",".join(key.scopes), "organizations": ",".join(organizations)}
    only = organizations[0] if len(organizations) == 1 else ""
    await store.audit.note(Change("key.created", session.operator(), only, key.id, told))
    # The key alone on standard output: a script may take it from there.
    print(text, flush=True)
    print(f"{key.id}: made, and shown only now. End it with: econeura keys revoke {key.id}", file=sys.stderr)
    return 0


async def _list(keys: ApiKeys) -> int:
    known, used_ms = await keys.all(), await keys.last_used_ms()
    rows = [_COLUMNS]
    rows += [
        (
            key.id,
            key.name,
            ",".join(key.scopes),
            ",".join(key.organizations) or "(all)",
            _moment(key.created_ms),
            _moment(key.expires_ms),
            _moment(used_ms.get(key.id, 0)),
        )
        for key in sorted(known.values(), key=lambda key: key.created_ms)
    ]
    print_table(rows)
    return 0


async def _revoke(key_id: str, store: Store) -> int:
    from workers.store import Change

    if not await store.api_keys.revoke(key_id):
        print(f"econeura: no key {key_id!r}; 'econeura keys list' shows them", file=sys.stderr)
        return 1
    await store.audit.note(Change("key.revoked", session.operator(), target=key_id))
    print(f"{key_id}: revoked", file=sys.stderr)
    return 0


def _scopes(text: str) -> Sequence[Scope]:
    from workers.scopes import SCOPES

    given = {word.strip() for word in text.split(",")}
    if unknown := given.difference(SCOPES):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))!r}: not of {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in given]


def _name(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST_NAME or not text.isprintable():
        raise argparse.ArgumentTypeError(f"1 to {_LONGEST_NAME} printable characters")
    return text.strip()


def _days(text: str) -> int:
    days = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= days <= _LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"a number of days, 1 to {_LONGEST_DAYS}")
    return days


def _moment(at_ms: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}Z" if at_ms else "never"
