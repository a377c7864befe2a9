"""How far the mail of each daily report came, so that it is sent once."""

from __future__ import annotations

from datetime import date
from typing import Literal

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys

_KEPT_S = 40 * 86400
# Longer than a run and its retries: after it a person's new run may mail what the first could not.
_RESERVED_S = 2 * 3600
State = Literal["", "sending", "sent"]


class ReportMails:
    """Per organization and day: who mails the report, and whether that has begun or is done."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    async def reserve(self, organization_id: str, day: date, owner: str) -> bool:
        """Whether this run (or its repetition) is the one to mail the report."""
        key = self._keys.report_mailer(organization_id, day.isoformat())
        if await self._redis.set(key, owner, nx=True, ex=_RESERVED_S):
            return True
        holder = await self._redis.get(key)
        return holder is None or holder.decode() == owner

    async def state(self, organization_id: str, day: date) -> State:
        """How far it came: not begun, about to be sent, sent."""
        state = await self._redis.get(self._keys.report_mail(organization_id, day.isoformat()))
        return state.decode() if state else ""

    async def note(self, organization_id: str, day: date, state: State) -> None:
        await self._redis.set(self._keys.report_mail(organization_id, day.isoformat()), state, ex=_KEPT_S)
