"""Watched folders: their delta links, and who synchronises them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.redis_clients import AsyncRedis
from workers.store.keys import Keys
from workers.store.webhooks import Noted

_HERE = Path(__file__).parent
# Longer than any single page takes; renewed at each page, so a dead holder costs a folder this long at most.
FOLDER_LEASE_S = 60.0
# A sync that was queued but never started (the queue lost power) may be asked for again after this.
_QUEUED_TTL_S = 15
# A mailbox that was taken away and comes back after so long is a new one.
_REMEMBERED_S = 90 * 86400
# A round that filters by date follows so many messages at most (5,000): before that a new one begins.
FILINGS_ROUND_S = 2 * 86400

_READ = ("link", "synced_at", "error", "counted_at", "subscription_error")


@dataclass(frozen=True)
class FolderState:
    """What we know of a watched folder. Times are milliseconds since 1970, 0 for never."""

    link: str | None
    process_since_ms: int
    synced_at: int
    error: str
    listed: int | None = None
    """Of how many messages the listing that `link` goes on with has told, None where it is no listing."""
    counted_at: int = 0
    was_listed: bool = False
    """Its messages were listed before: one that the ledger does not know may be one that it has forgotten."""
    subscription_error: str = ""
    """Why no subscription tells us of it, "" where one does or none is asked for."""


class Mailboxes:
    """State of each watched folder, and the coalescing of requests to look at a mailbox."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._categories: dict[str, set[str]] = {}
        self._lease, self._release, self._want_syncs, self._note_subscription = (
            client.register_script((_HERE / f"{name}.lua").read_text(encoding="utf-8"))
            for name in ("folder_lease", "folder_release", "want_syncs", "note_subscription")
        )

    async def want_sync(self, mailbox: str) -> bool:
        """Whether the caller must queue a sync: False while one is queued that has not started."""
        key = self._keys.sync_queued(mailbox)
        return bool(await self._redis.set(key, b"queued", nx=True, ex=_QUEUED_TTL_S))

    async def want_syncs(self, mailboxes: Sequence[str], *, asker: str) -> list[bool]:
        """`want_sync` for each of several mailboxes, for a caller that says `syncs_queued` afterwards.

        Until it has, others are told to queue one, too: what it could not queue is not lost.
        """
        return [bool(due) for due in await self._say("ask", mailboxes, asker)]

    async def syncs_queued(self, mailboxes: Sequence[str], *, asker: str) -> None:
        """What `want_syncs` had this asker queue is queued; until it starts it stands for all that ask."""
        await self._say("queued", mailboxes, asker)

    async def _say(self, what: str, mailboxes: Sequence[str], asker: str) -> list[int]:
        keys = [self._keys.sync_queued(mailbox) for mailbox in mailboxes]
        replies: list[int] = await self._want_syncs(keys=keys, args=[what, asker, _QUEUED_TTL_S])
        return replies

    async def sync_started(self, mailbox: str) -> None:
        """What is asked for from now on needs a sync of its own. Also undoes a `want_sync` not kept."""
        await self._redis.delete(self._keys.sync_queued(mailbox))

    async def lease(self, mailbox: str, folder: str, *, owner: str, since_ms: int) -> FolderState | None:
        """Take (or renew) the right to synchronise a folder; None while another holds it.

        The other then looks once more before it lets go. A folder met for the first time starts at
        `since_ms`, or now where that is 0; a later change of it holds from then on.
        """
        reply = await self._lease(
            keys=[self._keys.folder(mailbox, folder), self._keys.watched_since(mailbox, folder)],
            args=[owner, int(FOLDER_LEASE_S * 1000), since_ms, _REMEMBERED_S],
        )
        if not reply:
            return None
        link, since, synced_at, error, listed, counted_at, was_listed = (part.decode() for part in reply)
        return FolderState(
            link or None,
            int(since),
            int(synced_at),
            error,
            int(listed) if listed else None,
            int(counted_at),
            bool(was_listed),
        )

    async def save_link(
        self, mailbox: str, folder: str, *, owner: str, link: str, listed: int | None = None
    ) -> bool:
        """Store where to go on; False (nothing stored) if the lease is another's by now."""
        return await self._held(mailbox, folder, owner, "link", link, "" if listed is None else listed)

    async def forget_link(self, mailbox: str, folder: str, *, owner: str) -> bool:
        """Drop a link that Graph no longer knows: the next round lists the folder from the start."""
        return await self._held(mailbox, folder, owner, "link", "", "")

    async def note_counted(self, mailbox: str, folder: str, *, owner: str) -> bool:
        """Note that the folder was counted against the ledger."""
        return await self._held(mailbox, folder, owner, "counted")

    async def note_subscription(
        self, mailbox: str, folder: str, *, error: str, ails: str = "", tell: Sequence[Noted] = ()
    ) -> None:
        """Note why a folder has no subscription ("" once it has one), or what `ails` the one it has.

        The event that would `tell` of it is noted where all was well before, and is no longer.
        """
        await self._note_subscription(
            keys=[self._keys.folder(mailbox, folder), self._keys.webhook_events()],
            args=[error, ails or error, *(part for event in tell for part in event)],
        )

    async def release(self, mailbox: str, folder: str, *, owner: str, error: str = "") -> bool:
        """Give the folder back; True if somebody asked meanwhile and one more round is due."""
        return await self._held(mailbox, folder, owner, "done", error)

    async def _held(self, mailbox: str, folder: str, owner: str, *arguments: str | int) -> bool:
        return bool(await self._release(keys=[self._keys.folder(mailbox, folder)], args=[owner, *arguments]))

    async def read(self, mailbox: str, folder: str) -> FolderState:
        """State of a folder; zeros where it was never synchronised."""
        return (await self.read_many([(mailbox, folder)]))[0]

    async def read_many(self, places: Sequence[tuple[str, str]]) -> list[FolderState]:
        """State of each (mailbox, folder), in one round trip."""
        async with self._redis.pipeline(transaction=False) as step:
            for mailbox, folder in places:
                step.hmget(self._keys.folder(mailbox, folder), *_READ)
                step.get(self._keys.watched_since(mailbox, folder))
            replies = await step.execute()
        return [_state(*pair) for pair in zip(replies[::2], replies[1::2], strict=True)]

    async def filings_link(self, mailbox: str, folder: str) -> str | None:
        """Where to go on looking for changes by hand in a folder, None: from the beginning."""
        link = await self._redis.get(self._keys.filings(mailbox, folder))
        return link.decode() if link else None

    async def save_filings_link(self, mailbox: str, folder: str, link: str | None) -> None:
        """Store where to go on, or (None) forget it. From the first on it is good for FILINGS_ROUND_S."""
        key = self._keys.filings(mailbox, folder)
        if link is None:
            await self._redis.delete(key)
        elif not await self._redis.set(key, link, nx=True, ex=FILINGS_ROUND_S):
            await self._redis.set(key, link, xx=True, keepttl=True)

    async def known_categories(self, mailbox: str) -> frozenset[str]:
        """Master categories known to exist in a mailbox; they are read once, and added to."""
        if mailbox not in self._categories:
            names = await self._redis.smembers(self._keys.categories(mailbox))
            self._categories.setdefault(mailbox, set()).update(name.decode() for name in names)
        return frozenset(self._categories[mailbox])

    def forgo_categories(self, mailbox: str, *names: str) -> None:
        """Have this process take these for known: they cannot be had."""
        self._categories.setdefault(mailbox, set()).update(names)

    async def add_categories(self, mailbox: str, *names: str) -> None:
        if names:
            await self._redis.sadd(self._keys.categories(mailbox), *names)
            self._categories.setdefault(mailbox, set()).update(names)


def _state(fields: Sequence[bytes | None], since: bytes | None) -> FolderState:
    link, synced_at, error, counted_at, subscription_error = (
        part.decode() if part else "" for part in fields
    )
    return FolderState(
        link or None,
        int(since or 0),
        int(synced_at or 0),
        error,
        counted_at=int(counted_at or 0),
        subscription_error=subscription_error,
    )
