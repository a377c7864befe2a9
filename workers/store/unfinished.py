"""Messages that were recorded and have not ended, by when they last moved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys

_REST = (Path(__file__).parent / "rest.lua").read_text(encoding="utf-8")
_DAY_MS = 86_400_000


class Unfinished:
    """What the ledger has open; it notes itself there what begins, moves and ends."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, retention_days: int) -> None:
        self._redis = client
        self._keys = keys
        self._retention_ms = retention_days * _DAY_MS
        self._rest = client.register_script(_REST)

    async def count(self, organization_id: str) -> int:
        """How many there are: none when the system is quiet."""
        return int(await self._redis.zcard(self._keys.unfinished(organization_id)))

    async def oldest(self, organization_id: str, *, idle_for_s: float, limit: int) -> list[tuple[str, str]]:
        """(mailbox, message id) of messages that have not moved for so long, the oldest first."""
        members = await self._redis.zrangebyscore(
            self._keys.unfinished(organization_id), "-inf", await self._ms_ago(idle_for_s), start=0, num=limit
        )
        return [_split(member) for member in members]

    async def count_idle(self, organization_id: str, *, idle_for_s: float) -> int:
        """How many unfinished messages have not moved for so long."""
        latest_ms = await self._ms_ago(idle_for_s)
        return int(await self._redis.zcount(self._keys.unfinished(organization_id), "-inf", latest_ms))

    async def let_rest(
        self, organization_id: str, mailbox: str, message_ids: Sequence[str], *, idle_s: float
    ) -> int:
        """Note that messages were queued again: they count as idle later each time (2, 4, 8 ... `idle_s`).

        Returns how many of them are no longer in the ledger; these are forgotten.
        """
        gone = await self._rest(
            keys=[
                self._keys.unfinished(organization_id),
                *(self._keys.email(mailbox, message_id) for message_id in message_ids),
            ],
            args=[
                int(idle_s * 1000),
                self._retention_ms,
                *(member_of(mailbox, message_id) for message_id in message_ids),
            ],
        )
        return int(gone)

    async def _ms_ago(self, seconds: float) -> int:
        now_s, microseconds = await self._redis.time()
        return int((now_s - seconds) * 1000 + microseconds // 1000)


def member_of(mailbox: str, message_id: str) -> str:
    """How a message is named in the sorted set."""
    return f"{mailbox}\n{message_id}"


def _split(member: bytes) -> tuple[str, str]:
    mailbox, _, message_id = member.decode().partition("\n")
    return mailbox, message_id
