"""Moments as we write them everywhere: ISO 8601, UTC, milliseconds, Z."""

from __future__ import annotations

from datetime import UTC, datetime


def written(moment: datetime) -> str:
    """An aware moment as text, such as 2026-11-22T10:00:00.000Z."""
    return f"{moment.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def now_text() -> str:
    """This moment as text."""
    return written(datetime.now(UTC))
