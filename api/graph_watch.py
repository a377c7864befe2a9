"""How the organizations' mailboxes fare at Graph, from what the last synchronisations left in Redis."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime

from api.directory import Directory
from api.schemas.health import GraphHealth, OrganizationHealth, Status
from workers.organizations import Organization
from workers.store import Store, Subscription

# Health is asked for often and by many; a thousand mailboxes are not to be read each time.
_REMEMBER_S = 5.0


class GraphWatch:
    """Health of each organization at Graph; asks Redis, never Graph, and remembers it for some seconds."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory
        self._looking = asyncio.Lock()
        self._last: tuple[float, GraphHealth] | None = None

    async def health(self) -> GraphHealth:
        """Raises RedisError."""
        async with self._looking:
            if self._last is None or time.monotonic() - self._last[0] > _REMEMBER_S:
                self._last = (time.monotonic(), await self._look())
            return self._last[1]

    async def _look(self) -> GraphHealth:
        subscriptions = await self._store.subscriptions.all()
        organizations = {
            organization.id: await self._organization(organization, subscriptions)
            for organization in self._directory.current
        }
        status = _status(
            total=len(organizations),
            bad=sum(health.status == "unhealthy" for health in organizations.values()),
            poor=sum(health.status != "healthy" for health in organizations.values()),
        )
        return GraphHealth(status=status, organizations=organizations)

    async def _organization(
        self, organization: Organization, subscriptions: list[Subscription]
    ) -> OrganizationHealth:
        places = [(mailbox, folder) for mailbox in organization.mailboxes for folder in organization.folders]
        states = await self._store.mailboxes.read_many(places)
        reasons = Counter(state.error for state in states if state.error)
        now = datetime.now(UTC)
        ours = [item for item in subscriptions if item.organization_id == organization.id]
        degraded = sum(item.health != "ok" or datetime.fromisoformat(item.expires_at) < now for item in ours)
        subscribed = {(item.mailbox, item.folder) for item in ours}
        # Those that could not be had at all: their mail comes in by the timer alone.
        degraded += sum(
            bool(state.subscription_error) and place not in subscribed
            for place, state in zip(places, states, strict=True)
        )
        failing = reasons.total()
        return OrganizationHealth(
            status=_status(total=len(places), bad=failing, poor=failing + degraded),
            reason=reasons.most_common(1)[0][0] if reasons else None,
            folders=len(places),
            failing=failing,
            subscriptions=len(ours),
            subscriptions_degraded=degraded,
        )


def _status(*, total: int, bad: int, poor: int) -> Status:
    if total and bad == total:
        return "unhealthy"
    return "degraded" if poor else "healthy"
