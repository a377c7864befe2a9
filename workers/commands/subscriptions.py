"""Graph's subscriptions of the configured mailboxes: show them, or end them all for an uninstall.

  econeura subscriptions list
  econeura subscriptions remove --dry-run
  econeura subscriptions remove --organization acme

Stop the service first: while it runs, graph_sync makes new ones within a quarter of an hour. What leads to
another address than ECONEURA_PUBLIC_URL and was not made by us is another installation's, and stays.
Exit code 1 where Graph could not be asked for an organization.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from workers.commands import session
from workers.commands.table import print_table

if TYPE_CHECKING:
    from workers.pipeline.uninstalling import Found, Uninstalling
    from workers.settings import Settings
    from workers.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    shown = actions.add_parser("list", help="show those of the configured mailboxes")
    remove = actions.add_parser("remove", help="end all of ours at Graph, and forget them")
    remove.add_argument("--dry-run", action="store_true", help="only show which")
    for action in (shown, remove):
        action.add_argument("--organization", metavar="ID", help="of this organization alone")


def run(arguments: argparse.Namespace) -> int:
    """Returns 1 where Graph could not be asked for an organization."""
    with session.begun("subscriptions") as settings:
        return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    from workers.errors import SettingsError
    from workers.graph.client import GraphSession
    from workers.organizations import load_organizations
    from workers.pipeline.uninstalling import Uninstalling
    from workers.store import Store

    organizations = load_organizations(settings.organizations)
    only = arguments.organization
    if only is not None and organizations.get(only) is None:
        raise SettingsError(f"--organization: no organization {only!r} is configured")
    async with (
        Store.open(settings) as store,
        GraphSession.open(settings, organizations, store.redis) as graph,
    ):
        uninstalling = Uninstalling(settings, organizations, store, graph)
        found = await uninstalling.find(only)
        if arguments.action == "list":
            _print(found)
        else:
            await _remove(found, uninstalling, store, dry_run=arguments.dry_run)
    for organization_id, reason in uninstalling.failed.items():
        print(f"econeura: {organization_id}: {reason}", file=sys.stderr)
    return 1 if uninstalling.failed else 0


async def _remove(found: list[Found], uninstalling: Uninstalling, store: Store, *, dry_run: bool) -> None:
    from workers.store import Change
    from workers.store.schedulers import ALIVE_S

    ours = [item for item in found if item.is_ours]
    if dry_run:
        _print(ours)
        print(f"{len(ours)} would be removed")
        return
    removed = 0
    for item in ours:
        if await uninstalling.remove(item):
            removed += 1
            told = {"mailbox": item.mailbox, "folder": item.folder}
            change = Change("subscription.removed", session.operator(), item.organization_id, item.id, told)
            await store.audit.note(change)
    print(f"{removed} removed")
    if any(silent < ALIVE_S for silent in (await store.schedulers.silent_s()).values()):
        print("econeura: the service is running and will make new ones: stop it", file=sys.stderr)


def _print(found: list[Found]) -> None:
    heading = ("ID", "ORGANIZATION", "MAILBOX", "FOLDER", "ENDS", "STATE")
    rows = [
        (
            item.id,
            item.organization_id,
            item.mailbox or "-",
            item.folder or "-",
            f"{item.expires_at:%Y-%m-%d %H:%M}Z",
            "gone at Graph" if not item.at_graph else "ours" if item.is_ours else "another installation's",
        )
        for item in found
    ]
    print_table([heading, *rows])
