"""How far each organization's journal was exported: what lies before may go."""

from __future__ import annotations

from datetime import UTC, datetime

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys


class Exports:
    """One moment an organization; it only moves forward."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    async def exported_until(self, organization_id: str) -> datetime | None:
        """Everything that ended before this was exported; None where nothing was."""
        ms = await self._redis.get(self._keys.exported(organization_id))
        return datetime.fromtimestamp(int(ms) / 1000, UTC) if ms else None

    async def note_exported(self, organization_id: str, until: datetime) -> None:
        """Note that everything that ended before `until` was exported."""
        known = await self.exported_until(organization_id)
        if known is None or known < until:
            await self._redis.set(self._keys.exported(organization_id), int(until.timestamp() * 1000))

    async def first_line_at(self, organization_id: str) -> datetime | None:
        """When the oldest message in the journal ended; None where there is none."""
        entries = await self._redis.xrange(self._keys.journal(organization_id), count=1)
        if not entries:
            return None
        return datetime.fromtimestamp(int(entries[0][0].partition(b"-")[0]) / 1000, UTC)
