"""Rate limits, honoured over all api processes without a round trip for each request.

Each process leases a share of a caller's limit from Redis and spends it; the next share is had while the last
is being spent. Without Redis a process counts by itself. Headers: IETF draft-ietf-httpapi-ratelimit-headers.
"""

from __future__ import annotations

import asyncio
import math
import time

from aiohttp import web
from redis import RedisError

from api.refusals import Refusal
from api.spending import Spending
from workers import logs
from workers.settings import Settings
from workers.store.rates import Kind, Lease, Rates, Wanted

_log = logs.get_logger("api")
# A share is at most this part of a limit: so much a process may hold back from the others.
_SHARES = 100
_LARGEST_SHARE = 1000
_LEASE_TIMEOUT_S = 0.25
# After a failure Redis is not asked again for this long.
_ALONE_S = 1.0
# Callers remembered; those beyond are forgotten in the order in which they came.
_MOST_CALLERS = 20_000
PROBES = ("/health/live", "/health/ready")
_WHOM = {"key": "this key", "address": "this address", "listen": "this sender"}


class Limit:
    """One kind of limit in this process: so many requests a minute for each caller."""

    def __init__(self, kind: Kind, per_minute: int, leases: Leases) -> None:
        self.kind = kind
        self.per_minute = per_minute
        self._leases = leases
        self._share = max(1, min(per_minute // _SHARES, _LARGEST_SHARE))
        self._refill_at = self._share // 2
        self._spending: dict[str, Spending] = {}

    def spend_at_hand(self, who: str) -> Spending | None:
        """Spend one request that is leased already; None where none is: then `spend` must ask."""
        spending = self._spending.get(who)
        if spending is None or not spending.at_hand:
            return None
        spending.at_hand -= 1
        if spending.at_hand == self._refill_at > 0:
            self._leases.ask(self._wanted(who), spending)
        return spending

    async def spend(self, who: str) -> Spending:
        """Spend one request; refuses (429) where the limit is reached."""
        while (spending := self.spend_at_hand(who)) is None:
            known = self._known(who)
            if (wait_s := known.wait_s(time.monotonic())) > 0:
                raise self._refusal(known, wait_s)
            # Whoever goes away meanwhile must not take the others' share along.
            await asyncio.wait({self._leases.ask(self._wanted(who), known)})
        return spending

    def _known(self, who: str) -> Spending:
        known = self._spending.get(who)
        if known is None:
            if len(self._spending) >= _MOST_CALLERS:
                del self._spending[next(iter(self._spending))]
            known = self._spending[who] = Spending(self.kind, self.per_minute)
        return known

    def _wanted(self, who: str) -> Wanted:
        return Wanted(self.kind, who, self.per_minute, self._share)

    def _refusal(self, spending: Spending, wait_s: float) -> Refusal:
        text = f"too many requests of {_WHOM[self.kind]}: {self.per_minute} a minute are allowed"
        headers = {
            "Retry-After": str(max(1, math.ceil(wait_s))),
            "RateLimit-Policy": spending.policy,
            "RateLimit": spending.text(),
        }
        return Refusal(429, "rate_limited", text, headers=headers)


class Leases:
    """Asks Redis for shares: for all that are wanted in one turn of the event loop at once."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._asked: dict[Spending, Wanted] = {}
        self._asking: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._alone_until = 0.0

    def ask(self, wanted: Wanted, spending: Spending) -> asyncio.Task[None]:
        """Have a share added to what is at hand; the task ends when it was, or there was none."""
        self._asked[spending] = wanted
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask_for_all())
            self._under_way.add(self._asking)
            self._asking.add_done_callback(self._under_way.discard)
        return self._asking

    async def _ask_for_all(self) -> None:
        # Others may come to want some in this turn.
        await asyncio.sleep(0)
        asked, self._asked = self._asked, {}
        self._asking = None
        found = await self._leased(list(asked.values()))
        now = time.monotonic()
        for number, (spending, wanted) in enumerate(asked.items()):
            if found is None:
                spending.take(spending.by_itself(wanted.requests, now), now)
            else:
                spending.take(found[number], now)

    async def _leased(self, wanted: list[Wanted]) -> list[Lease] | None:
        if time.monotonic() < self._alone_until:
            return None
        try:
            async with asyncio.timeout(_LEASE_TIMEOUT_S):
                return await self._rates.lease(wanted)
        except (RedisError, TimeoutError, OSError) as away:
            self._alone_until = time.monotonic() + _ALONE_S
            _log.warning("rates_counted_alone", reason=type(away).__name__)
            return None


class Limits:
    """The limits in force; None where a setting lifts one."""

    def __init__(self, settings: Settings, rates: Rates) -> None:
        leases = Leases(rates)

        def limit(kind: Kind, per_minute: int) -> Limit | None:
            return Limit(kind, per_minute, leases) if per_minute else None

        self.key = limit("key", settings.key_requests_per_minute)
        self._address = limit("address", settings.address_requests_per_minute)
        self._of_route = {
            "/listen": limit("listen", settings.listen_requests_per_minute),
            # Who is refused here takes us out of service.
            **dict.fromkeys(PROBES),
        }

    def of_route(self, route: str) -> Limit | None:
        """The limit of an address for requests of this route."""
        return self._of_route.get(route, self._address)


LIMITS: web.AppKey[Limits] = web.AppKey("limits", Limits)
SPENDING: web.RequestKey[Spending | None] = web.RequestKey("spending")
"""Of the limit that is the request's own: its key's, else its address'."""
