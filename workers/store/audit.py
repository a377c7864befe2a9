"""The audit log: who changed what. Each entry is a line in the logs, too, written before Redis is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import asdict, dataclass, field

import orjson
import redis

from workers import logs, metrics
from workers.redaction import masked
from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys
from workers.store.neighbours import known_to

_log = logs.get_logger("audit")
_PAGE = 200
Detail = str | int | float | bool | None


@dataclass(frozen=True)
class Change:
    """Something that was changed. No secret and no full address is kept of it.

    `what` is a word of ours such as "key.created"; `by` who did it ("key:ID", "entra:ID", "cli:USER/HOST",
    "local" while no key exists, "brake", "file"); `target` the id of what was changed.
    """

    what: str
    by: str
    organization_id: str = ""
    target: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)
    correlation_id: str = ""


@dataclass(frozen=True)
class Entry:
    """A change as it was kept, at a time in Unix milliseconds."""

    id: str
    at_ms: int
    change: Change


class Audit:
    """All changes, oldest first, until their retention is over."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.audit()

    async def note(self, change: Change) -> None:
        """Keep a change that has happened. Without Redis it is in the logs alone, and they say so."""
        kept = _masked(change)
        _log.info(
            "changed",
            what=kept.what,
            by=kept.by,
            organizationId=kept.organization_id,
            target=kept.target,
            **kept.details,
        )
        try:
            await self._redis.xadd(self._key, {"change": orjson.dumps(asdict(kept))})
        except redis.RedisError as away:
            metrics.ERRORS.labels("change_not_kept", "audit", "error").inc()
            _log.error("change_not_kept", what=kept.what, by=kept.by, reason=type(away).__name__)

    async def page(
        self, *, organizations: Collection[str] | None = None, limit: int = 50, before: str | None = None
    ) -> tuple[list[Entry], str | None]:
        """Up to `limit` entries, newest first, and the cursor of the next page (None: there is no more)."""
        found: list[Entry] = []
        async for entry in self._newest_first(before):
            if organizations is not None and entry.change.organization_id not in organizations:
                continue
            if len(found) == limit:
                return found, found[-1].id
            found.append(entry)
        return found, None

    async def forget_before(self, at_ms: int) -> int:
        """Drop what is older (Unix milliseconds); returns how many."""
        return int(await self._redis.xtrim(self._key, minid=at_ms, approximate=False))

    async def count_before(self, at_ms: int) -> int:
        """How many `forget_before` would drop."""
        return len(await self._redis.xrange(self._key, "-", f"({at_ms}-0"))

    async def _newest_first(self, before: str | None) -> AsyncIterator[Entry]:
        if before is not None and set(before) <= set("0-"):
            # The first id there can be: nothing is older, and Redis refuses to look.
            return
        end = "+" if before is None else f"({before}"
        while True:
            entries = await self._redis.xrevrange(self._key, end, "-", count=_PAGE)
            for entry_id, kept in entries:
                yield _read(entry_id.decode(), kept[b"change"])
            if len(entries) < _PAGE:
                return
            end = f"({entries[-1][0].decode()}"


def _masked(change: Change) -> Change:
    return Change(
        what=change.what,
        by=change.by,
        organization_id=change.organization_id,
        target=masked(change.target),
        details={
            name: masked(value) if isinstance(value, str) else value for name, value in change.details.items()
        },
        correlation_id=change.correlation_id or logs.correlation_id(),
    )


def _read(entry_id: str, kept: bytes) -> Entry:
    change = Change(**known_to(Change, orjson.loads(kept)))
    return Entry(entry_id, int(entry_id.partition("-")[0]), change)
