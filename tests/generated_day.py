"""A day of generated mail in the journal, with the minutes' health samples and the schedule's runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from workers.organizations import Organization
from workers.store import Store
from workers.store.schedule import hour_name

_CATEGORIES = {
    "finance": 30, "support": 25, "calendar": 12, "sales": 8, "newsletter": 10, "spam": 6, "personal": 4,
    "general": 5,
}  # fmt: skip
_BUSY = [1, 1, 0, 0, 1, 2, 4, 9, 16, 20, 18, 15, 12, 9, 11, 14, 13, 10, 6, 4, 3, 2, 2, 1]


def lines_of_day(organization: Organization, day: date, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """(when it ended in ms, journal line) of so many messages, in the order in which they ended."""
    chance = random.Random(f"{organization.id} {day}")
    start = datetime(day.year, day.month, day.day, tzinfo=organization.zone)
    ended = []
    for number in range(count):
        hour = chance.choices(range(24), _BUSY)[0]
        seen = start + timedelta(hours=hour, seconds=chance.randrange(3600))
        took_s = chance.lognormvariate(0.2, 0.9) if chance.random() < 0.97 else chance.uniform(30, 900)
        # Within the day: a stream's ids only rise, and days are written one after the other.
        ended_ms = int(min(seen.timestamp() + took_s, (start + timedelta(hours=24)).timestamp() - 1) * 1000)
        ended.append((ended_ms, _line(chance, organization, number, seen, ended_ms)))
    yield from sorted(ended, key=lambda entry: entry[0])


async def write_day(store: Store, organization: Organization, day: date, count: int) -> None:
    """Put a generated day into the journal (days in order: a stream's ids only rise)."""
    key = store.keys.journal(organization.id)
    async with store.redis.pipeline(transaction=False) as step:
        for number, (ended_ms, line) in enumerate(lines_of_day(organization, day, count)):
            step.xadd(key, {"line": orjson.dumps(line)}, id=f"{ended_ms}-{number}")
        await step.execute()


async def write_service_day(store: Store, organization: Organization, day: date) -> None:
    """A health sample a minute with a busy morning and one bad quarter of an hour, and the hours' runs."""
    chance = random.Random(f"service {day}")
    start = datetime(day.year, day.month, day.day, tzinfo=organization.zone).astimezone(UTC)
    async with store.redis.pipeline(transaction=False) as step:
        for minute in range(1440):
            at = start + timedelta(minutes=minute)
            bad = 600 <= minute < 615
            waiting = chance.randrange(5) + (80 + minute - 600 if bad else 0)
            sample = {
                "at": at.isoformat(timespec="seconds"),
                "status": "degraded" if bad else "healthy",
                "latencyMs": 0.4,
                "memoryBytes": 52_000_000 + minute * 9_000,
                "waiting": waiting,
                "oldestAgeSeconds": waiting * 1.5,
                "dead": 2,
                "workers": 2,
                "schedulers": 1,
                "unfinished": waiting,
            }
            step.xadd(
                store.keys.health_samples(),
                {"sample": orjson.dumps(sample)},
                id=f"{int(at.timestamp() * 1000)}-1",
            )
        for hour in range(24):
            counts = {
                "email_processing|completed": 12, "email_processing|ms": 900, "graph_sync|completed": 4,
                "graph_sync|ms": 5200, "health_check|completed": 60, "health_check|ms": 1500,
                "cleanup|completed": 1, "cleanup|ms": 340,
            }  # fmt: skip
            name = hour_name(start + timedelta(hours=hour))
            step.hset(store.keys.schedule_hour(name), mapping=counts)
        await step.execute()


def _line(
    chance: random.Random, organization: Organization, number: int, seen: datetime, ended_ms: int
) -> dict[str, Any]:
    category = chance.choices(list(_CATEGORIES), list(_CATEGORIES.values()))[0]
    state = chance.choices(("done", "skipped", "dead"), (95, 4.7, 0.3))[0]
    abstained = chance.random() < 0.07
    actions = [{"type": "categorize", "status": "done", "detail": category}]
    if category == "support":
        actions.append({"type": "forward", "status": "done", "detail": "sent to 1 at acme.example"})
    if category == "spam":
        actions = [{"type": "archive", "status": "done", "detail": ""}]
    sender = chance.choice(("cliente", "proveedor", "banco", "asesoria-fiscal-martinez", "news"))
    return {
        "messageId": f"AAMk-{number:06d}",
        "mailbox": organization.mailboxes[number % len(organization.mailboxes)],
        "subject": f"Asunto {number}" if number % 50 else '=HYPERLINK("http://evil.example")',
        "fromDomain": f"{sender}-{chance.randrange(9)}.example",
        "state": state,
        "reason": chance.choice(("not_found", "paused")) if state == "skipped" else "",
        "category": category,
        "confidence": round(chance.uniform(0.4, 1), 3),
        "abstained": abstained,
        "urgency": chance.choices(("low", "medium", "high"), (30, 55, 15))[0],
        "sentiment": chance.choices(("positive", "neutral", "negative"), (15, 65, 20))[0],
        "language": chance.choices(("es", "en", "ca", "fr"), (78, 18, 3, 1))[0],
        "rule": "below_floor" if abstained else f"default-{category}",
        "action": actions[0]["type"],
        "actions": actions,
        "receivedAt": seen.astimezone(UTC).isoformat(timespec="seconds"),
        "seenAt": int(seen.timestamp() * 1000),
        "ms": chance.randrange(20, 400),
    }
