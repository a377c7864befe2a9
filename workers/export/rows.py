"""What a row of the export holds, as JSON and as CSV. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SCHEMA_VERSION = 1
COLUMNS = (
    "endedAt", "seenAt", "receivedAt", "mailbox", "messageId", "subject", "fromDomain", "state", "reason",
    "category", "confidence", "abstained", "urgency", "sentiment", "language", "rule", "action", "actions",
    "processingMs", "secondsToEnd",
)  # fmt: skip
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection), also in full width.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_CONTROL = ("\t", "\r", "\n")


def record_of(entry_id: str, line: Mapping[str, Any]) -> dict[str, Any]:
    """A journal line as the export's JSON has it. Times are ISO 8601 UTC, durations as their names say."""
    ended_ms, seen_ms = int(entry_id.partition("-")[0]), int(line.get("seenAt") or 0)
    known = {name: line.get(name) for name in COLUMNS}
    return {
        **known,
        "endedAt": _iso(ended_ms),
        "seenAt": _iso(seen_ms),
        "receivedAt": line.get("receivedAt") or None,
        "actions": [
            {"type": action.get("type"), "status": action.get("status")}
            for action in line.get("actions") or ()
        ],
        "processingMs": line.get("ms"),
        "secondsToEnd": round((ended_ms - seen_ms) / 1000, 3) if seen_ms else None,
    }


def cells_of(record: Mapping[str, Any]) -> list[str]:
    """A record as CSV cells in the order of COLUMNS; no cell is taken for a formula by a spreadsheet."""
    return [_cell(record[name]) for name in COLUMNS]


def harmless(text: str) -> str:
    """Text that a spreadsheet does not compute: an apostrophe stands before what could be a formula."""
    if text.startswith(_CONTROL) or text.lstrip().startswith(_FORMULA):
        return f"'{text}"
    return text


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return harmless(" ".join(f"{action['type']}:{action['status']}" for action in value))
    return harmless(str(value))


def _iso(ms: int) -> str | None:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") if ms else None
