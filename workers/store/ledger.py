"""The ledger: what became of every message. Each change is one atomic step in Redis."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from workers.errors import Busy, LostClaim, NotFound
from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys
from workers.store.record import Record, State, decode
from workers.store.unfinished import member_of
from workers.store.webhooks import Noted, flat_events

_HERE = Path(__file__).parent
_DAY_MS = 86_400_000
Reopen = Literal["none", "skipped", "all"]
# What is left of an erased record: without it the message would be taken for a new one.
_LEFT_OF_ERASED = (
    "organization", "mailbox", "message_id", "state", "reason", "fence", "history", "claim_owner",
    "claim_until", "seen_at", "claimed_at", "finished_at", "notified_at",
)  # fmt: skip
# A claim outlives any single step of the pipeline; it is renewed at each, and void once a worker is dead.
CLAIM_LEASE_S = 120.0


@dataclass(frozen=True)
class NewMessage:
    """A message as delta (or the API) first showed it. `content` is Graph's JSON, parked for the worker."""

    message_id: str
    fields: Mapping[str, str | int]
    content: Mapping[str, Any] | None = None
    skip_reason: str = ""


@dataclass(frozen=True)
class Ended:
    """What finishing a message told: jobs that wait for it, and how long it took. Seconds."""

    first_time: bool
    jobs: tuple[str, ...]
    since_seen_s: float = 0.0
    since_claimed_s: float = 0.0
    since_notified_s: float | None = None


class Ledger:
    """Records of messages by (mailbox, immutable id); finished ones leave a line in the journal."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, retention_days: int, content_ttl_s: int) -> None:
        self._redis = client
        self._keys = keys
        self._retention_ms = retention_days * _DAY_MS
        self._content_ttl_ms = content_ttl_s * 1000
        self._record_page, self._claim, self._update, self._finish, self._join_job = (
            client.register_script((_HERE / f"{name}.lua").read_text(encoding="utf-8"))
            for name in ("record_page", "claim", "update", "finish", "join_job")
        )
        self._erase = client.register_script((_HERE / "erase_record.lua").read_text(encoding="utf-8"))

    async def record(
        self, organization_id: str, mailbox: str, messages: Sequence[NewMessage]
    ) -> list[NewMessage]:
        """Record messages seen for the first time; returns those that still need a worker, in order."""
        keys = [self._keys.unfinished(organization_id)]
        arguments: list[Any] = [organization_id, mailbox, self._content_ttl_ms, self._retention_ms]
        for message in messages:
            keys += [
                self._keys.email(mailbox, message.message_id),
                self._keys.located(organization_id, message.message_id),
                self._keys.content(mailbox, message.message_id),
            ]
            flat = [part for pair in message.fields.items() for part in pair]
            arguments += [
                message.message_id,
                "skipped" if message.skip_reason else "recorded",
                message.skip_reason,
                _pack(message.content) if message.content is not None and not message.skip_reason else b"",
                len(flat),
                *flat,
            ]
        needed = await self._record_page(keys=keys, args=arguments)
        return [messages[int(index) - 1] for index in needed]

    async def claim(
        self,
        organization_id: str,
        mailbox: str,
        message_id: str,
        *,
        owner: str,
        reopen: Reopen = "none",
        with_content: bool = False,
    ) -> Record:
        """Take a message for `owner` (a queue message's id); a finished one comes back as it is.

        Raises NotFound where it was never recorded and Busy while another owner holds it. With `reopen`
        "skipped" those start anew, with "all" done ones are claimed too. The record's `fence` proves the
        claim in later writes; with it come what is paused now, the version of what people taught and, if
        asked for, the parked content.
        """
        reply = await self._claim(
            keys=[
                self._keys.email(mailbox, message_id),
                self._keys.unfinished(organization_id),
                self._keys.paused(),
                self._keys.content(mailbox, message_id),
                self._keys.corrections_version(organization_id),
            ],
            args=[
                owner, int(CLAIM_LEASE_S * 1000), reopen, member_of(mailbox, message_id), int(with_content),
            ],
        )  # fmt: skip
        status = reply[0].decode()
        if status == "missing":
            raise NotFound("message is not in the ledger")
        if status == "busy":
            # Soon enough to follow the other closely, seldom enough to cost nothing.
            raise Busy("message is in other hands", retry_after_s=min(2.0, int(reply[1]) / 1000))
        return replace(
            decode(dict(zip(reply[4::2], reply[5::2], strict=True))),
            paused=frozenset(name.decode() for name in reply[1]),
            parked=_unpack(reply[2]) if reply[2] else None,
            taught=int(reply[3] or 0),
        )

    async def save(
        self,
        record: Record,
        fields: Mapping[str, str | bytes | int],
        *,
        state: State | None = None,
        drop: Sequence[str] = (),
        release: bool = False,
        tell: Sequence[Noted] = (),
    ) -> None:
        """Write (and drop) fields of a claimed message and renew the claim, or give it back.

        Events that `tell` of it are noted with it. Raises LostClaim if another took the message.
        """
        flat = [part for pair in fields.items() for part in pair]
        written = await self._update(
            keys=[
                self._keys.email(record.mailbox, record.message_id),
                self._keys.unfinished(record.organization_id),
                self._keys.webhook_events(),
            ],
            args=[
                record.fence, state or "", "1" if release else "0",
                member_of(record.mailbox, record.message_id), int(CLAIM_LEASE_S * 1000), " ".join(drop),
                *flat_events(tell), *flat,
            ],
        )  # fmt: skip
        if not written:
            raise LostClaim("another worker took this message")

    async def finish(
        self,
        record: Record,
        state: Literal["done", "skipped", "dead"],
        reason: str,
        *,
        journal: Mapping[str, Any],
        fields: Mapping[str, str | bytes] | None = None,
        whoever_holds_it: bool = False,
        tell: Sequence[Noted] = (),
    ) -> Ended:
        """End a message, write its journal line and note the events that tell of it.

        A second call changes nothing. Raises LostClaim.
        """
        flat = [part for pair in (fields or {}).items() for part in pair]
        reply = await self._finish(
            keys=[
                self._keys.email(record.mailbox, record.message_id),
                self._keys.unfinished(record.organization_id),
                self._keys.journal(record.organization_id),
                self._keys.content(record.mailbox, record.message_id),
                self._keys.webhook_events(),
            ],
            args=[
                "any" if whoever_holds_it else record.fence, state, reason,
                member_of(record.mailbox, record.message_id), orjson.dumps(journal),
                *flat_events(tell), *flat,
            ],
        )  # fmt: skip
        status = reply[0].decode()
        if status == "lost":
            raise LostClaim("another worker took this message")
        if status == "missing":
            return Ended(first_time=False, jobs=())
        jobs = tuple(reply[1].decode().split())
        if status == "already":
            return Ended(first_time=False, jobs=jobs)
        notified = float(reply[4]) / 1000 if reply[4] else None
        return Ended(True, jobs, float(reply[2]) / 1000, float(reply[3]) / 1000, notified)

    async def join(
        self, mailbox: str, message_id: str, job_id: str
    ) -> Literal["missing", "waiting", "finished"]:
        """Let a job wait for the end of a message."""
        reply: bytes = await self._join_job(keys=[self._keys.email(mailbox, message_id)], args=[job_id])
        return reply.decode()  # type: ignore[return-value]

    async def read(self, mailbox: str, message_id: str) -> Record | None:
        """The record of a message, or None."""
        fields = await self._redis.hgetall(self._keys.email(mailbox, message_id))
        return decode(fields) if fields else None

    async def empty(self, mailbox: str, message_id: str) -> bool:
        """Forget all that is known of a message that ended, but that it did; False where it has not ended."""
        keys = [self._keys.email(mailbox, message_id), self._keys.content(mailbox, message_id)]
        return bool(await self._erase(keys=keys, args=_LEFT_OF_ERASED))

    async def read_many(self, mailbox: str, message_ids: Sequence[str]) -> list[Record | None]:
        """`read` for each of several ids, in one round trip."""
        async with self._redis.pipeline(transaction=False) as step:
            for message_id in message_ids:
                step.hgetall(self._keys.email(mailbox, message_id))
            found = await step.execute()
        return [decode(fields) if fields else None for fields in found]

    async def known(self, mailbox: str, message_ids: Sequence[str]) -> set[str]:
        """Those of the ids that have a record, in one round trip."""
        async with self._redis.pipeline(transaction=False) as step:
            for message_id in message_ids:
                step.exists(self._keys.email(mailbox, message_id))
            found = await step.execute()
        return {message_id for message_id, exists in zip(message_ids, found, strict=True) if exists}

    async def mailbox_of(self, organization_id: str, message_id: str) -> str | None:
        """The mailbox in which the ledger knows a message id, or None."""
        mailbox = await self._redis.get(self._keys.located(organization_id, message_id))
        return mailbox.decode() if mailbox else None

    async def mailboxes_of(self, organization_id: str, message_ids: Sequence[str]) -> list[str | None]:
        """`mailbox_of` for each of several ids, in one step."""
        found = await self._redis.mget([self._keys.located(organization_id, name) for name in message_ids])
        return [mailbox.decode() if mailbox else None for mailbox in found]

    async def park(self, mailbox: str, message_id: str, content: Mapping[str, Any]) -> None:
        """Keep a message as Graph gave it until it is finished, or its time is up."""
        key = self._keys.content(mailbox, message_id)
        await self._redis.set(key, _pack(content), px=self._content_ttl_ms)

    async def content(self, mailbox: str, message_id: str) -> dict[str, Any] | None:
        """The parked message as Graph gave it, or None once its time is up."""
        raw = await self._redis.get(self._keys.content(mailbox, message_id))
        return _unpack(raw) if raw else None


def _unpack(packed: bytes) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(zlib.decompress(packed))
    return content


def _pack(content: Mapping[str, Any]) -> bytes:
    return zlib.compress(orjson.dumps(content), 1)
