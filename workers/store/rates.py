"""Rate limits over all processes: each leases shares of them, and spends those without asking again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys, fingerprint

Kind = Literal["key", "address", "listen"]
"""What a limit counts: requests of a key, of an address, notifications of a sender."""
_LEASE = Path(__file__).with_name("rates.lua")


class Wanted(NamedTuple):
    """A share that a process asks for: of whose limit, how large that is, and how much of it."""

    kind: Kind
    who: str
    per_minute: int
    requests: int


class Lease(NamedTuple):
    """What it got, what nobody has leased after that, and the ms until there is some (0: there is)."""

    requests: int
    left: int
    wait_ms: int


class Rates:
    """The limits, each as the moment at which all of it is free again (GCRA): it refills evenly."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._keys = keys
        self._lease = client.register_script(_LEASE.read_text(encoding="utf-8"))

    async def lease(self, wanted: Sequence[Wanted]) -> list[Lease]:
        """A share of each limit, in one step; smaller than wanted where there is no more."""
        # Addresses are of people, and keys of Redis are seen in its logs.
        keys = [self._keys.rate(want.kind, fingerprint(want.who)) for want in wanted]
        numbers = [number for want in wanted for number in (want.per_minute, want.requests)]
        return [Lease(*found) for found in await self._lease(keys=keys, args=numbers)]
