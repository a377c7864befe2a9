"""The subscriptions that notifications name, remembered for a while: most come for the same few."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from workers.store import Subscription, Subscriptions

# How long one that was removed may still be believed. A look too many is all it costs.
_REMEMBER_S = 30.0
_LONGEST_ID = 128


class KnownSubscriptions:
    """Subscriptions by id, read from Redis when first named; all are forgotten after a while."""

    def __init__(self, stored: Subscriptions) -> None:
        self._stored = stored
        self._known: dict[str, Subscription] = {}
        self._forget_at = 0.0

    async def find(self, ids: Iterable[str]) -> Mapping[str, Subscription]:
        """The known subscriptions, surely all of ours among these ids; one round trip at most."""
        now = time.monotonic()
        if now > self._forget_at:
            self._known, self._forget_at = {}, now + _REMEMBER_S
        known = self._known
        missing = {name for name in ids if name not in known and 0 < len(name) <= _LONGEST_ID}
        if missing:
            known.update(await self._stored.find(list(missing)))
        return known
