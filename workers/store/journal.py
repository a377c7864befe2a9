"""The journal: a line for every message that ended, in the order in which they did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys


class Journal:
    """Reads the lines that the ledger writes as messages end."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    async def lines(
        self,
        organization_id: str,
        *,
        since_ms: int = 0,
        until_ms: int | None = None,
        after: str = "0",
        page: int = 500,
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """(entry id, line) of every message that ended in [since, until), in order; ids begin with ms.

        `after` is an entry id to go on after, in place of `since_ms`.
        """
        start = str(since_ms) if after == "0" else f"({after}"
        # With "-0": else the end would take in all of that millisecond.
        end = "+" if until_ms is None else f"({until_ms}-0"
        while True:
            entries = await self._redis.xrange(self._keys.journal(organization_id), start, end, count=page)
            for entry_id, fields in entries:
                yield entry_id.decode(), orjson.loads(fields[b"line"])
            if len(entries) < page:
                return
            start = f"({entries[-1][0].decode()}"

    async def after(
        self, organization_id: str, last_id: str, *, count: int = 1000
    ) -> list[tuple[str, dict[str, Any]]]:
        """Entries after an entry id ("0" for all), for a reader that follows the journal."""
        start = "-" if last_id == "0" else f"({last_id}"
        entries = await self._redis.xrange(self._keys.journal(organization_id), start, "+", count=count)
        return [(entry_id.decode(), orjson.loads(fields[b"line"])) for entry_id, fields in entries]
