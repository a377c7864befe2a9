"""Answers by what was asked, so that the same text is asked about once. Holds answers, never mail."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from workers.organizations import LlmSettings
from workers.redis_clients import AsyncRedis

_HOUR_S = 3600


class AnswerCache:
    """Kept for each organization apart: what one mailbox got must not show in another's answers."""

    def __init__(self, client: AsyncRedis, namespace: str) -> None:
        self._redis = client
        self._prefix = f"{{{namespace}}}:llm:answer"

    def key(self, organization_id: str, settings: LlmSettings, *asked: str | dict[str, Any]) -> str:
        """By organization, endpoint, model, instructions, schema and content: a change of any asks anew."""
        parts = [organization_id, settings.api, settings.endpoint, settings.model, *asked]
        digest = sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return f"{self._prefix}:{digest}"

    async def find(self, key: str) -> str | None:
        raw = await self._redis.get(key)
        return None if raw is None else raw.decode()

    async def keep(self, key: str, answer: str, *, hours: int) -> None:
        if hours:
            await self._redis.set(key, answer, ex=hours * _HOUR_S)
