"""What people said of messages: the examples that an organization's adjustment is learned from. No text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys
from workers.store.neighbours import known_to

_HERE = Path(__file__).parent
# So many are enough to learn from, and few enough to learn anew at each change.
MOST_CORRECTIONS = 300
_MOST_CHANGES = 5000
_PAGE = 200
# Higher than any time in milliseconds: what a person said goes before what only seems so.
_PERSONS_WORD = 10**15

Source = Literal["person", "category", "folder"]
"""Said through the API; or seen: a category that was changed, a message that was moved, by hand."""
Status = Literal["kept", "replaced", "older", "outranked", "withdrawn", "unknown"]


@dataclass(frozen=True)
class Correction:
    """What was said of a message. `said` has what was given of category, urgency, sentiment; `labels` for
    each head of the analysis the classes that follow from it. `signature`: the mail's features, packed.
    `sender`: fingerprint of the sender's address, by which a correspondent can be erased.
    """

    message_id: str
    at_ms: int
    source: Source
    by: str
    said: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]]
    signature: bytes = field(repr=False)
    sender: str = ""


@dataclass(frozen=True)
class Judged:
    """Of a head that a person spoke of: whether the analysis was right without learning, and with all that it
    had learned before."""

    without: bool
    learned: bool


@dataclass(frozen=True)
class CorrectionChange:
    """One change of the corrections and the version that it made (Unix milliseconds, rising)."""

    id: str
    version: int
    status: Status
    message_id: str
    source: Source
    by: str
    said: Mapping[str, str]
    judged: Mapping[str, Judged]

    @property
    def at_ms(self) -> int:
        return int(self.id.partition("-")[0])


@dataclass(frozen=True)
class Kept:
    """What became of a correction, and the version of all of them now."""

    status: Status
    version: int


class Corrections:
    """The corrections of each organization, one for a message at most."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._correct = client.register_script((_HERE / "correct.lua").read_text(encoding="utf-8"))

    async def keep(self, organization_id: str, correction: Correction, judged: Mapping[str, Judged]) -> Kept:
        """Keep a correction in place of a former one of the message, unless that is newer or a person's word
        and this is none. Where there are too many, the oldest go, first those that no person said."""
        header = {
            "at_ms": correction.at_ms,
            "source": correction.source,
            "by": correction.by,
            "said": correction.said,
            "labels": correction.labels,
            "sender": correction.sender,
        }
        value = orjson.dumps(header) + b"\n" + correction.signature
        rank = correction.at_ms + (_PERSONS_WORD if correction.source == "person" else 0)
        change = {
            "message_id": correction.message_id,
            "source": correction.source,
            "by": correction.by,
            "said": correction.said,
            "judged": judged,
        }
        return await self._change(organization_id, correction.message_id, rank, value, change)

    async def withdraw(self, organization_id: str, message_id: str, *, by: str, source: Source) -> Kept:
        """Take back what was said of a message: it is as if it had never been said."""
        change = {"message_id": message_id, "source": source, "by": by, "said": {}, "judged": {}}
        return await self._change(organization_id, message_id, 0, b"", change)

    async def version(self, organization_id: str) -> int:
        """The version of an organization's corrections, 0 where there never were any."""
        return int(await self._redis.get(self._keys.corrections_version(organization_id)) or 0)

    async def get(self, organization_id: str, message_id: str) -> Correction | None:
        """What was last said of a message, or None."""
        kept = await self._redis.hget(self._keys.corrections(organization_id), message_id)
        return _correction(message_id, kept) if kept else None

    async def known(self, organization_id: str, message_ids: Sequence[str]) -> set[str]:
        """Those of the ids of which something was said."""
        ranks = await self._redis.zmscore(self._keys.correction_ranks(organization_id), list(message_ids))
        return {name for name, rank in zip(message_ids, ranks, strict=True) if rank is not None}

    async def all(self, organization_id: str) -> tuple[int, list[Correction]]:
        """The version and all corrections of it, by message id."""
        async with self._redis.pipeline(transaction=True) as step:
            step.get(self._keys.corrections_version(organization_id))
            step.hgetall(self._keys.corrections(organization_id))
            version, kept = await step.execute()
        found = sorted((message_id.decode(), value) for message_id, value in kept.items())
        return int(version or 0), [_correction(message_id, value) for message_id, value in found]

    async def changes(
        self, organization_id: str, *, since_ms: int = 0, until_ms: int | None = None
    ) -> AsyncIterator[CorrectionChange]:
        """Changes in [since, until), newest first."""
        key = self._keys.correction_changes(organization_id)
        end = "+" if until_ms is None else f"({until_ms}-0"
        while True:
            entries = await self._redis.xrevrange(key, end, str(since_ms), count=_PAGE)
            for entry_id, fields in entries:
                yield _read_change(entry_id.decode(), fields)
            if len(entries) < _PAGE:
                return
            end = f"({entries[-1][0].decode()}"

    async def about(self, organization_id: str, message_ids: Collection[str], sender: str) -> set[str]:
        """Those of the ids of which something was said at any time, and the ids of mail from the sender."""
        _, kept = await self.all(organization_id)
        found = {one.message_id for one in kept if one.sender == sender or one.message_id in message_ids}
        said = {change.message_id async for change in self.changes(organization_id)}
        return found | said.intersection(message_ids)

    async def forget(self, organization_id: str, message_ids: Collection[str]) -> None:
        """Erase what was said of messages, every trace that it was, and what was learned of it."""
        for message_id in message_ids:
            await self.withdraw(organization_id, message_id, by="erasure", source="person")
        async for change in self.changes(organization_id):
            if change.message_id in message_ids:
                await self._redis.xdel(self._keys.correction_changes(organization_id), change.id)
        await self._redis.unlink(self._keys.adjustment(organization_id))

    async def adjustment(self, organization_id: str) -> bytes | None:
        """What was last learned of the corrections, perhaps of a former version of them."""
        packed: bytes | None = await self._redis.get(self._keys.adjustment(organization_id))
        return packed

    async def save_adjustment(self, organization_id: str, packed: bytes) -> None:
        """Keep what was learned. It names its version: one who finds a former one learns anew."""
        await self._redis.set(self._keys.adjustment(organization_id), packed)

    async def _change(
        self, organization_id: str, message_id: str, rank: int, value: bytes, change: Mapping[str, Any]
    ) -> Kept:
        status, version = await self._correct(
            keys=[
                self._keys.corrections(organization_id),
                self._keys.correction_ranks(organization_id),
                self._keys.corrections_version(organization_id),
                self._keys.correction_changes(organization_id),
            ],
            args=[
                message_id, rank, _PERSONS_WORD, value, MOST_CORRECTIONS, _MOST_CHANGES, orjson.dumps(change),
            ],
        )  # fmt: skip
        return Kept(status.decode(), int(version))


def _correction(message_id: str, kept: bytes) -> Correction:
    header, _, signature = kept.partition(b"\n")
    fields = known_to(Correction, orjson.loads(header))
    fields["labels"] = {head: tuple(classes) for head, classes in fields["labels"].items()}
    return Correction(message_id=message_id, signature=signature, **fields)


def _read_change(entry_id: str, fields: Mapping[bytes, bytes]) -> CorrectionChange:
    change = known_to(CorrectionChange, orjson.loads(fields[b"change"]))
    change["judged"] = {head: Judged(**judged) for head, judged in change["judged"].items()}
    status: Any = fields[b"status"].decode()
    return CorrectionChange(id=entry_id, version=int(fields[b"version"]), status=status, **change)
