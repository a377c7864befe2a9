"""The call journal: the last calls with their bodies, and counts of all of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Entry:
    """One Graph call; `path` and `query` as sent, `body` as well, `batched` for a part of a $batch."""

    number: int
    at: float
    method: str
    endpoint: str
    path: str
    query: str
    mailbox: str | None
    status: int
    duration_ms: float
    batched: bool
    fault: str | None
    request_id: str
    client_request_id: str
    traceparent: str
    prefer: list[str]
    content_type: str | None
    body: bytes

    def as_json(self) -> dict[str, Any]:
        """With the body as JSON where it is JSON."""
        return {**asdict(self), "body": _readable(self.body)}


def _readable(body: bytes) -> Any:
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return "(not JSON)"


class Journal:
    """Keeps the last `size` calls; counts are never forgotten until `clear`."""

    def __init__(self, size: int = 20_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self.next_number = 1

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._counts[entry.method, entry.endpoint, entry.status] += 1
        self.next_number += 1

    def entries(
        self, *, after: int = 0, mailbox: str | None = None, endpoint: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Calls later than number `after`, of a mailbox and an endpoint template where given."""
        for entry in self._entries:
            if (
                entry.number > after
                and mailbox in (None, entry.mailbox)
                and endpoint in (None, entry.endpoint)
            ):
                yield entry.as_json()

    def counts(self) -> list[dict[str, Any]]:
        return [
            {"method": method, "endpoint": endpoint, "status": status, "count": count}
            for (method, endpoint, status), count in sorted(self._counts.items())
        ]

    def clear(self) -> None:
        self._entries.clear()
        self._counts.clear()
