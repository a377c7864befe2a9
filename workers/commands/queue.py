"""The queue: how much is in it, what waits, and what became a dead letter.

econeura queue stats
econeura queue peek --limit 20
econeura queue dead --actor respond_to_email --reason attempts_exhausted
econeura queue retry ID            (or --all with a filter; --dry-run says how many)
econeura queue purge --all --older-than-days 30 --dry-run
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers import clock
from workers.commands import session

if TYPE_CHECKING:
    from workers.broker import Broker
    from workers.broker.dead_letters import Filter
    from workers.settings import Settings

_DAY_S = 86400
_MOST = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("stats", help="sizes by priority and state, ages, workers")
    peek = actions.add_parser("peek", help="the messages that are next in line")
    peek.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default 20)")
    dead = actions.add_parser("dead", help="the dead letters, newest first")
    dead.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default 20)")
    _add_filter(dead)
    for action, text in (("retry", "send dead letters again"), ("purge", "drop dead letters for good")):
        change = actions.add_parser(action, help=text)
        change.add_argument("id", nargs="?", metavar="ID", help="one, as `dead` shows it")
        change.add_argument("--all", action="store_true", help="all that match the filter")
        change.add_argument(
            "--limit", type=int, default=1000, metavar="N", help="at most so many (default 1000)"
        )
        change.add_argument("--dry-run", action="store_true", help="only say how many")
        _add_filter(change)


def run(arguments: argparse.Namespace) -> int:
    """Returns 1 where the dead letter named is not there."""
    from workers.broker import Broker
    from workers.errors import SettingsError
    from workers.redis_clients import connect_sync

    if getattr(arguments, "limit", 1) not in range(1, _MOST + 1):
        raise SettingsError(f"--limit: a number from 1 to {_MOST}")
    if arguments.action in ("retry", "purge") and bool(arguments.id) == arguments.all:
        raise SettingsError(f"{arguments.action}: name one ID, or say --all (perhaps with a filter)")
    with session.begun("queue") as settings:
        broker = Broker(settings.namespace, partitions=settings.partitions)
        broker.connect(connect_sync(settings))
        try:
            return _ACTIONS[arguments.action](broker, arguments, settings)
        finally:
            broker.close()


def _add_filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--actor", metavar="NAME", help="of this actor")
    parser.add_argument("--reason", metavar="CODE", help="dead for this reason")
    parser.add_argument("--organization", metavar="ID", help="of this organization")
    parser.add_argument("--older-than-days", type=float, metavar="N", help="dead for longer than this")


def _filter(arguments: argparse.Namespace) -> Filter:
    from workers.broker.dead_letters import Filter

    days = arguments.older_than_days
    return Filter(
        actor=arguments.actor,
        reason=arguments.reason,
        organizations=None if arguments.organization is None else (arguments.organization,),
        older_than_s=None if days is None else days * _DAY_S,
    )


def _stats(broker: Broker, _: argparse.Namespace, __: Settings) -> int:
    stats = broker.stats()
    print(f"{'PRIORITY':<10}{'WAITING':>9}{'RUNNING':>9}{'DELAYED':>9}{'DEAD':>9}{'OLDEST':>10}")
    for priority, sizes in stats.by_priority.items():
        numbers = "".join(f"{sizes[state]:>9}" for state in ("waiting", "running", "delayed", "dead"))
        print(f"{priority:<10}{numbers}{stats.oldest_age_s[priority]:>8.1f} s")
    print(f"workers: {stats.workers}   held apart after a worker's death: {stats.suspects}")
    return 0


def _peek(broker: Broker, arguments: argparse.Namespace, __: Settings) -> int:
    for message in broker.waiting.peek(arguments.limit):
        line = message.line.removeprefix("ready:")
        print(f"{_moment(message.ready_ms)}  {line:<8} {message.actor:<18} {message.message_id}")
    return 0


def _dead(broker: Broker, arguments: argparse.Namespace, __: Settings) -> int:
    letters, _ = broker.dead_letters.page(_filter(arguments), limit=arguments.limit)
    for letter in letters:
        print(f"{letter.id}  {_moment(letter.died_ms)}  {letter.actor:<18} {letter.reason}: {letter.error}")
    return 0


def _retry(broker: Broker, arguments: argparse.Namespace, settings: Settings) -> int:
    letters = broker.dead_letters
    changed = _change(arguments, "sent again", letters.retry, letters.retry_many)
    return _ended(arguments, settings, "dead_letters.retried", changed)


def _purge(broker: Broker, arguments: argparse.Namespace, settings: Settings) -> int:
    letters = broker.dead_letters
    changed = _change(arguments, "dropped", letters.purge, letters.purge_many)
    return _ended(arguments, settings, "dead_letters.dropped", changed)


def _change(
    arguments: argparse.Namespace, done: str, one: Callable[[str], bool], many: Callable[..., int]
) -> int:
    if arguments.id:
        changed = int(one(arguments.id))
    else:
        changed = many(_filter(arguments), limit=arguments.limit, dry_run=arguments.dry_run)
    print(f"{changed} {'would be ' if arguments.dry_run else ''}{done}")
    return changed


def _ended(arguments: argparse.Namespace, settings: Settings, what: str, changed: int) -> int:
    """Note what was changed; returns the exit code."""
    if changed and not arguments.dry_run:
        told = {"count": changed, "actor": arguments.actor, "reason": arguments.reason}
        organization_id, letter_id = arguments.organization or "", arguments.id or ""
        asyncio.run(session.note(settings, what, organization_id=organization_id, target=letter_id, **told))
    return 1 if arguments.id and not changed else 0


def _moment(at_ms: int) -> str:
    return clock.written(datetime.fromtimestamp(at_ms / 1000, UTC))


_ACTIONS: dict[str, Callable[[Broker, argparse.Namespace, Settings], int]] = {
    "stats": _stats,
    "peek": _peek,
    "dead": _dead,
    "retry": _retry,
    "purge": _purge,
}
