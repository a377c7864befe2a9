"""The version of what is stored, agreed on at the start of every process.

Two neighbouring releases work side by side during a rolling upgrade, so what one writes the other must read:
a field may be added (with a default for what lacks it), none may change its meaning or be taken away before
the release after. What a neighbour could not read needs a new `SCHEMA`; the highest ever started is kept.
"""

from __future__ import annotations

from typing import Any, Literal

import redis

from workers.errors import SettingsError
from workers.store.keys import Keys

SCHEMA = 1
_WHAT_TO_DO = {
    "too new": "start a newer release, or restore a copy of Redis from before the upgrade",
    "too old": "start the releases in between first, one after the other",
}


class UnreadableSchema(SettingsError):
    """What is stored is of a release too far from this one."""

    code = "schema"


def agree(client: redis.Redis, keys: Keys, *, ours: int = SCHEMA) -> int:
    """The version in force, ours from now on if that is the newer one.

    Raises UnreadableSchema where ours is no neighbour of it, and RedisError.
    """
    client.set(keys.schema(), ours, nx=True)
    stored = readable(client, keys, ours=ours)
    if verdict(stored, ours) == "raise":
        client.set(keys.schema(), ours)
    return max(stored, ours)


def readable(client: redis.Redis, keys: Keys, *, ours: int = SCHEMA) -> int:
    """The version of what is stored (ours where nothing is); raises as `agree` does, and changes nothing."""
    text: Any = client.get(keys.schema())
    try:
        stored = ours if text is None else int(text)
    except ValueError:
        raise UnreadableSchema("the version of the schema in Redis is no number") from None
    said = verdict(stored, ours)
    if said in _WHAT_TO_DO:
        raise UnreadableSchema(
            f"the data in Redis are of schema {stored}; this release reads schema {ours}, "
            f"one before and one after: {_WHAT_TO_DO[said]}"
        )
    return stored


def verdict(stored: int, ours: int) -> Literal["same", "raise", "neighbour", "too new", "too old"]:
    """What a release of schema `ours` does about stored data. No I/O."""
    if stored == ours:
        return "same"
    if stored == ours - 1:
        return "raise"
    if stored == ours + 1:
        return "neighbour"
    return "too new" if stored > ours else "too old"
