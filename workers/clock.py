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
    second, ms = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_written_second(second)}.{ms:03}Z"


@lru_cache(maxsize=4)
def _written_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]
