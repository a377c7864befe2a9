"""The subscriptions that notifications name, remembered for a while: most come for the same few."""

from __future__ import annotations

import time
from collections.abc import Iterable

from workers.store import Subscription, Subscriptions

# How long one that was removed may still be believed. A look too many is all it costs.
_REMEMBER_S = 30.0
_LONGEST_ID = 128


class KnownSubscriptions:
    """Subscriptions by id, read from Redis when first named and again when the memory of them is old."""

    def __init__(self, stored: Subscriptions) -> None:
        self._stored = stored
        self._known: dict[str, tuple[float, Subscription]] = {}

    async def find(self, ids: Iterable[str]) -> dict[str, Subscription]:
        """Those of the ids that are ours; one round trip at most."""
        now = time.monotonic()
        found: dict[str, Subscription] = {}
        missing: list[str] = []
        for subscription_id in set(ids):
            until, subscription = self._known.get(subscription_id, (0.0, None))
            if subscription is not None and now < until:
                found[subscription_id] = subscription
            elif 0 < len(subscription_id) <= _LONGEST_ID:
                missing.append(subscription_id)
        if missing:
            for subscription_id, stored in (await self._stored.find(missing)).items():
                self._known[subscription_id] = (now + _REMEMBER_S, stored)
                found[subscription_id] = stored
            for gone in set(missing) - set(found):
                self._known.pop(gone, None)
        return found
