"""What a day's mail was like, from the journal's lines. No I/O."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_TOP_DOMAINS = 10
_TOP_RULES = 20
_BY = {
    "byCategory": "category",
    "byUrgency": "urgency",
    "bySentiment": "sentiment",
    "byLanguage": "language",
}


class EmailDay:
    """Counts of one local day. Received: first seen that day. Done, skipped, dead: ended that day."""

    def __init__(self, day_start: datetime, zone: ZoneInfo) -> None:
        self.start = day_start.astimezone(UTC)
        # Midnight to midnight on the wall: 23 or 25 hours when clocks change.
        local = day_start.astimezone(zone)
        self.end = (local.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC)
        self._zone = zone
        self._ended: Counter[str] = Counter()
        self._by: dict[str, Counter[str]] = {name: Counter() for name in _BY}
        self._rules: Counter[str] = Counter()
        self._skips: Counter[str] = Counter()
        self._domains: Counter[str] = Counter()
        self._actions: Counter[tuple[str, str]] = Counter()
        self._hours = [0] * 24
        self._open = 0
        self._abstained = 0
        self._seconds_to_done = array("d")
        self._processing_ms = array("d")

    def add(self, ended_ms: int, line: Mapping[str, Any]) -> None:
        """Take a journal line; of another day only what belongs to this one counts."""
        seen_ms = int(line.get("seenAt") or 0)
        if self._holds(seen_ms):
            self._hours[self._hour(seen_ms)] += 1
        if self._holds(ended_ms):
            self._add_ended(ended_ms, seen_ms, line)

    def add_open(self, seen_ms: int) -> None:
        """Take a message that has not ended yet."""
        if self._holds(seen_ms):
            self._open += 1
            self._hours[self._hour(seen_ms)] += 1

    def summary(self) -> dict[str, Any]:
        """The figures as the report's JSON has them; times in seconds, unless named Ms."""
        return {
            "received": sum(self._hours),
            "done": self._ended["done"],
            "skipped": self._ended["skipped"],
            "dead": self._ended["dead"],
            "open": self._open,
            "toReview": self._abstained,
            **{name: dict(counts.most_common()) for name, counts in self._by.items()},
            "byRule": dict(self._rules.most_common(_TOP_RULES)),
            "bySkipReason": dict(self._skips.most_common()),
            "byHour": self._hours,
            "actions": [
                {"type": kind, "status": status, "count": count}
                for (kind, status), count in sorted(self._actions.items())
            ],
            "secondsToDone": _quantiles(self._seconds_to_done),
            "processingMs": _quantiles(self._processing_ms),
            "topDomains": [
                {"domain": domain, "count": count}
                for domain, count in self._domains.most_common(_TOP_DOMAINS)
            ],
        }

    def _add_ended(self, ended_ms: int, seen_ms: int, line: Mapping[str, Any]) -> None:
        state = str(line.get("state"))
        self._ended[state] += 1
        if state == "skipped":
            self._skips[str(line.get("reason") or "")] += 1
        for name, field in _BY.items():
            if value := line.get(field):
                self._by[name][str(value)] += 1
        if rule := line.get("rule"):
            self._rules[str(rule)] += 1
        self._abstained += bool(line.get("abstained"))
        if domain := line.get("fromDomain"):
            self._domains[str(domain)] += 1
        for action in line.get("actions") or ():
            self._actions[str(action.get("type")), str(action.get("status"))] += 1
        if state == "done" and seen_ms:
            self._seconds_to_done.append(max(0.0, (ended_ms - seen_ms) / 1000))
            self._processing_ms.append(float(line.get("ms") or 0))

    def _holds(self, moment_ms: int) -> bool:
        return self.start.timestamp() * 1000 <= moment_ms < self.end.timestamp() * 1000

    def _hour(self, moment_ms: int) -> int:
        return datetime.fromtimestamp(moment_ms / 1000, self._zone).hour


def _quantiles(values: array[float]) -> dict[str, float | int]:
    ordered = sorted(values)
    return {"count": len(ordered), "p50": _at(ordered, 0.5), "p95": _at(ordered, 0.95)}


def _at(ordered: list[float], share: float) -> float:
    """Nearest rank."""
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
