"""Following what becomes of the demo's messages, and knowing when all of them came to an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import redis

from workers.demo.organization import ORGANIZATION_ID
from workers.demo.rows import Row, row_of
from workers.demo.sandbox_process import SandboxRun
from workers.store import Store
from workers.store.record import FINISHED

_POLL_S = 0.1


class Follower:
    """Reads the journal on, and compares it with what the sandbox delivered."""

    def __init__(self, store: Store, sandbox: SandboxRun) -> None:
        self.rows: dict[str, Row] = {}
        self.unaccounted: set[str] = set()
        """Messages delivered that had not ended at the last look."""
        self._store = store
        self._sandbox = sandbox
        self._last_entry = "0"
        self._passed_over: list[Row] = []

    async def follow(self) -> AsyncIterator[list[Row]]:
        """Batches of rows as messages end; an empty one when nothing did for a moment."""
        while True:
            try:
                entries = await self._store.journal.after(ORGANIZATION_ID, self._last_entry)
            except redis.RedisError:
                # It may be starting again; the service copes with that, and so does its spectator.
                entries = []
            batch = [row_of(entry_id, line) for entry_id, line in entries]
            if entries:
                self._last_entry = entries[-1][0]
            self.rows |= {row.message_id: row for row in batch}
            yield batch
            if not batch:
                await asyncio.sleep(_POLL_S)

    async def is_quiet(self) -> bool:
        """Whether nothing is open in the ledger and every message delivered has ended."""
        received = await self._sandbox.received()
        try:
            unfinished = await self._store.unfinished.count(ORGANIZATION_ID)
            # Nothing open and nothing unread: who has no row by now never had a line in the journal.
            unread = await self._store.journal.after(ORGANIZATION_ID, self._last_entry, count=1)
            self.unaccounted = {
                message_id
                for message_id, mailbox in received.items()
                if message_id not in self.rows
                and (unfinished or unread or not await self._was_passed_over(mailbox, message_id))
            }
        except redis.RedisError:
            return False
        return bool(received) and not (self.unaccounted or unfinished or unread)

    def all_went_well(self) -> bool:
        """Whether every message is done, or skipped for a reason."""
        return not self.unaccounted and all(row.state in ("done", "skipped") for row in self.rows.values())

    def passed_over(self) -> list[Row]:
        """Messages found ended without a line in the journal, each told once."""
        rows, self._passed_over = self._passed_over, []
        return rows

    async def _was_passed_over(self, mailbox: str, message_id: str) -> bool:
        """Whether a message was skipped when it was first seen: that leaves a record and no journal line."""
        record = await self._store.ledger.read(mailbox, message_id)
        if record is None or record.state not in FINISHED:
            return False
        told = {
            "messageId": message_id,
            "subject": record.subject,
            "state": record.state,
            "reason": record.reason,
        }
        row = row_of(f"{time.time() * 1000:.0f}", told)
        self.rows[message_id] = row
        self._passed_over.append(row)
        return True
