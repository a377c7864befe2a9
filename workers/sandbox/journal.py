"""The call journal: the last calls with their bodies, and counts of all of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One Graph call; `path` and `query` as sent, `body` the JSON sent, `batched` for a part of a $batch."""

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
    prefer: list[str]
    content_type: str | None
    body: Any


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
                yield asdict(entry)

    def counts(self) -> list[dict[str, Any]]:
        return [
            {"method": method, "endpoint": endpoint, "status": status, "count": count}
            for (method, endpoint, status), count in sorted(self._counts.items())
        ]

    def clear(self) -> None:
        self._entries.clear()
        self._counts.clear()
