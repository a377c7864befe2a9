"""The audit log: who changed what, newest first.

  econeura audit --limit 100
  econeura audit --organization acme
  econeura audit --json | jq .what

Kept for ECONEURA_AUDIT_RETENTION_DAYS. Addresses are masked; secrets are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers import clock
from workers.commands import session

if TYPE_CHECKING:
    from workers.settings import Settings
    from workers.store.audit import Entry

_MOST = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_count, default=50, metavar="N", help="how many (default 50)")
    parser.add_argument("--organization", metavar="ID", help="what concerns this organization alone")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Print the changes."""
    with session.begun("audit") as settings:
        return asyncio.run(_print_changes(arguments, settings))


async def _print_changes(arguments: argparse.Namespace, settings: Settings) -> int:
    from workers.store import Store

    organizations = None if arguments.organization is None else (arguments.organization,)
    async with Store.open(settings) as store:
        entries, _ = await store.audit.page(organizations=organizations, limit=arguments.limit)
    for entry in entries:
        print(_as_json(entry) if arguments.json else _as_text(entry))
    return 0


def _as_json(entry: Entry) -> str:
    change = entry.change
    shown = {
        "id": entry.id,
        "at": _moment(entry),
        "what": change.what,
        "by": change.by,
        "organizationId": change.organization_id or None,
        "target": change.target or None,
        "details": dict(change.details),
        "correlationId": change.correlation_id,
    }
    return json.dumps(shown, ensure_ascii=False)


def _as_text(entry: Entry) -> str:
    change = entry.change
    details = "  ".join(f"{name}={value}" for name, value in change.details.items())
    words = (_moment(entry), f"{change.what:<22}", change.by, change.organization_id, change.target, details)
    return "  ".join(filter(None, words))


def _moment(entry: Entry) -> str:
    return clock.written(datetime.fromtimestamp(entry.at_ms / 1000, UTC))


def _count(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= count <= _MOST:
        raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST}")
    return count
