"""The dead letters: list, filter, send again, purge. Newest first, by pages, each step bounded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from workers.broker.encoding import parse, with_options
from workers.broker.keys import Keys
from workers.broker.scripts import DEAD_LETTERS, STATS, Client

_PAGE = 200
_FORGOTTEN_AT_RETRY = ("retries", "waits", "error", "unknown_actor")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody will run, and why. `died_ms`: Unix time in milliseconds."""

    id: str
    actor: str
    priority: str
    reason: str
    error: str
    traceback: str
    attempts: int
    organization_id: str | None
    died_ms: int
    message_id: str
    kwargs: dict[str, Any]
    options: dict[str, Any]
    sent_ms: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What must hold for all of them; None holds for any. Ages in seconds since death."""

    actor: str | None = None
    reason: str | None = None
    organizations: Collection[str] | None = None
    older_than_s: float | None = None
    younger_than_s: float | None = None

    def matches(self, letter: DeadLetter) -> bool:
        return (
            (self.actor is None or letter.actor == self.actor)
            and (self.reason is None or letter.reason == self.reason)
            and (self.organizations is None or letter.organization_id in self.organizations)
        )


EVERYTHING = Filter()


class DeadLetters:
    """The dead letters of all partitions. Every method raises what redis-py raises."""

    def __init__(self, client: Client, partitions: Sequence[Keys]) -> None:
        self._client = client
        self._partitions = partitions

    def page(
        self, wanted: Filter = EVERYTHING, *, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[DeadLetter], str | None]:
        """Up to `limit` letters, newest first, and the cursor of the next page (None: there is no more)."""
        found: list[DeadLetter] = []
        for letter in self._newest_first(wanted, cursor):
            if len(found) == limit:
                return found, found[-1].id
            found.append(letter)
        return found, None

    def get(self, letter_id: str) -> DeadLetter | None:
        keys, at = self._place(letter_id)
        stored = self._client.hget(keys["letters"], at) if keys else None
        return None if stored is None else _read(letter_id, stored)[0]

    def retry(self, letter_id: str) -> bool:
        """Send one again with its attempts forgotten; False if it is not there."""
        return self._retry([letter_id]) == 1

    def retry_many(self, wanted: Filter, *, limit: int, dry_run: bool = False) -> int:
        """Send up to `limit` again, newest first; returns how many (dry run: how many it would be)."""
        ids = [letter.id for letter, _ in zip(self._newest_first(wanted, None), range(limit), strict=False)]
        return len(ids) if dry_run else self._in_steps(ids, self._retry)

    def purge(self, letter_id: str) -> bool:
        """Drop one for good; False if it is not there."""
        return self._purge([letter_id]) == 1

    def purge_many(self, wanted: Filter, *, limit: int, dry_run: bool = False) -> int:
        """Drop up to `limit` for good; returns how many (dry run: how many it would be)."""
        ids = [letter.id for letter, _ in zip(self._newest_first(wanted, None), range(limit), strict=False)]
        return len(ids) if dry_run else self._in_steps(ids, self._purge)

    def _in_steps(self, ids: Sequence[str], step: Any) -> int:
        return sum(step(ids[first : first + _PAGE]) for first in range(0, len(ids), _PAGE))

    def _retry(self, ids: Sequence[str]) -> int:
        return self._change("retry", ids)

    def _purge(self, ids: Sequence[str]) -> int:
        return self._change("purge", ids)

    def _change(self, what: str, ids: Sequence[str]) -> int:
        changed = 0
        for number, keys in enumerate(self._partitions):
            places = [at for found, at in map(self._place, ids) if found is self._partitions[number]]
            args: list[Any] = [what]
            for at in places:
                if what == "purge":
                    args.append(at)
                elif (stored := self._client.hget(keys["letters"], at)) is not None:
                    args += [at, _as_new(_read(at, stored)[1])]
            if len(args) > 1:
                changed += DEAD_LETTERS.run(self._client, keys.base, args)
        return changed

    def _newest_first(self, wanted: Filter, cursor: str | None) -> Iterator[DeadLetter]:
        """Across partitions by time of death; a page of each is read at a time."""
        streams = [self._of_partition(number, wanted, cursor) for number in range(len(self._partitions))]
        heads = {number: next(stream, None) for number, stream in enumerate(streams)}
        while any(heads.values()):
            number = max((n for n in heads if heads[n]), key=lambda n: _order(heads[n]))
            letter = heads[number]
            if letter is not None:
                yield letter
            heads[number] = next(streams[number], None)

    def _of_partition(self, number: int, wanted: Filter, cursor: str | None) -> Iterator[DeadLetter]:
        keys = self._partitions[number]
        now_ms = int(STATS.run(self._client, keys.base, ())[0])
        newest = "+inf" if wanted.older_than_s is None else int(now_ms - wanted.older_than_s * 1000)
        oldest = "-inf" if wanted.younger_than_s is None else int(now_ms - wanted.younger_than_s * 1000)
        if cursor is not None:
            before = _before(cursor, number, len(self._partitions))
            newest = before if newest == "+inf" else min(int(newest), before)
        while True:
            ids = self._client.zrevrangebyscore(keys["dead"], newest, oldest, start=0, num=_PAGE)
            if not ids:
                return
            for at, stored in zip(ids, self._client.hmget(keys["letters"], ids), strict=True):
                if stored is not None:
                    letter, _ = _read(self._name(number, at.decode()), stored)
                    if wanted.matches(letter):
                        yield letter
            newest = int(ids[-1]) - 1

    def _name(self, number: int, at: str) -> str:
        return at if len(self._partitions) == 1 else f"{at}-{number}"

    def _place(self, letter_id: str) -> tuple[Keys | None, str]:
        at, _, number = letter_id.partition("-")
        index = int(number) if number.isdigit() else 0
        return (self._partitions[index] if index < len(self._partitions) else None), at


def _order(letter: DeadLetter | None) -> tuple[int, int]:
    at, _, number = letter.id.partition("-") if letter else ("0", "", "")
    return int(at), int(number or 0)


def _before(cursor: str, number: int, partitions: int) -> int:
    """The newest time of death in this partition that comes after the cursor in the order of pages."""
    at, _, last = cursor.partition("-")
    return int(at) - (partitions == 1 or number >= int(last or 0))


def _read(letter_id: str, stored: bytes) -> tuple[DeadLetter, bytes]:
    entry = parse(stored)
    meta_line, _, body = entry.body.partition(b"\n")
    meta = orjson.loads(meta_line)
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        message = {}
    letter = DeadLetter(
        id=letter_id,
        actor=entry.actor,
        priority=entry.priority,
        reason=meta["reason"],
        error=meta["error"],
        traceback=meta["traceback"],
        attempts=meta["attempts"],
        organization_id=meta["organization_id"],
        died_ms=entry.ready_ms,
        message_id=str(message.get("message_id", "")),
        kwargs=message.get("kwargs", {}),
        options=message.get("options", {}),
        sent_ms=int(message.get("message_timestamp", 0)),
    )
    return letter, body


def _as_new(body: bytes) -> bytes:
    try:
        options = orjson.loads(body)["options"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body
    return with_options(
        body, {name: value for name, value in options.items() if name not in _FORGOTTEN_AT_RETRY}
    )
