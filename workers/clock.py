"""Moments as we write them everywhere: ISO 8601, UTC, milliseconds, Z."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache


def written(moment: datetime) -> str:
    """An aware moment as text, such as 2026-11-22T10:00:00.000Z."""
    return f"{moment.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def now_text() -> str:
    """This moment as text."""
    return _written_ms(time.time_ns() // 1_000_000)


# In a busy process many things happen in one millisecond.
@lru_cache(maxsize=16)
def _written_ms(at_ms: int) -> str:
    second, ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(second, UTC).isoformat()[:19]}.{ms:03}Z"
