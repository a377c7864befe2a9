"""Redis as a release left it, written out as JSON; and as a newer release might have left it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import redis

RELEASE_0_1 = Path(__file__).parent / "data" / "release_0.1" / "redis.json"
_TOMORROW = {"a_field_of_tomorrow": {"of": "any kind"}}
# Hashes that are no record but a table: each of their fields is something of its own.
_TABLES = ("api-keys", "subscriptions", "job-items", "schedule:defined", "schedule:runs")


def load(client: redis.Redis, path: Path = RELEASE_0_1, *, of_tomorrow: bool = False) -> None:
    """Write what a file holds; `of_tomorrow` gives each record and each JSON object in it a further field."""
    for key, stored in json.loads(path.read_text(encoding="utf-8")).items():
        content = _grown(key, stored["value"]) if of_tomorrow else stored["value"]
        _WRITERS[stored["type"]](client, key, content)


def _grown(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_grown(key, part) for part in value]
    if isinstance(value, dict):
        grown = {name: _grown(key, part) for name, part in value.items()}
        is_record = not key.partition("}:")[2].startswith(_TABLES) and "line" not in value
        return {**grown, "a_field_of_tomorrow": "1"} if is_record else grown
    head, line_end, body = value.partition("\n")
    if line_end:
        return f"{head}\n{_grown(key, body)}"
    if not value.startswith("{"):
        return value
    return json.dumps({**json.loads(value), **_TOMORROW}, separators=(",", ":"))


def _write_stream(client: redis.Redis, key: str, entries: list[tuple[str, dict[str, str]]]) -> None:
    for entry_id, fields in entries:
        client.xadd(key, fields, id=entry_id)  # type: ignore[arg-type]


_WRITERS: dict[str, Any] = {
    "string": lambda client, key, text: client.set(key, text),
    "hash": lambda client, key, fields: client.hset(key, mapping=fields),
    "set": lambda client, key, members: client.sadd(key, *members),
    "list": lambda client, key, parts: client.rpush(key, *parts),
    "stream": _write_stream,
}
