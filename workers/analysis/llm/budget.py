"""Tokens of an organization and day (UTC), counted in Redis over all processes: reserved, used, settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workers.errors import NoAnswer
from workers.redis_clients import AsyncRedis

# Past the end of the day, for questions that began before it.
_KEPT_S = 2 * 86_400


@dataclass(frozen=True)
class Reservation:
    """Tokens taken from a day's budget for one question."""

    key: str
    tokens: int


class Budget:
    """What may still be asked today. A reservation whose question is cut off counts as used."""

    def __init__(self, client: AsyncRedis, namespace: str) -> None:
        self._redis = client
        self._prefix = f"{{{namespace}}}:llm:tokens"
        self._reserve = client.register_script(
            Path(__file__).with_name("budget.lua").read_text(encoding="utf-8")
        )

    async def reserve(self, organization_id: str, tokens: int, *, per_day: int) -> Reservation:
        """Take so many tokens; raises NoAnswer "budget" where they would go over the day's."""
        key = self._key(organization_id)
        if not await self._reserve(keys=[key], args=[tokens, per_day, _KEPT_S]):
            raise NoAnswer(f"the {per_day} tokens of this day do not allow {tokens} more", code="budget")
        return Reservation(key, tokens)

    async def settle(self, reservation: Reservation, used: int) -> None:
        """Give back what was not used (or add what was used beyond it)."""
        if used != reservation.tokens:
            await self._redis.incrby(reservation.key, used - reservation.tokens)

    async def used(self, organization_id: str) -> int:
        """Tokens used or reserved today."""
        return int(await self._redis.get(self._key(organization_id)) or 0)

    def _key(self, organization_id: str) -> str:
        return f"{self._prefix}:{organization_id}:{datetime.now(UTC):%Y%m%d}"
