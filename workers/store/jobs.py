"""Jobs that callers of the API submitted: what became of them, and a way to wait for their end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from workers.redis_clients import AsyncRedis
from workers.redis_records import Record
from workers.store.keys import Keys
from workers.store.webhooks import Noted

_END = Path(__file__).with_name("end_job.lua")
Status = Literal["queued", "running", "retrying", "completed", "failed"]
_RETENTION_S = 7 * 86400
# A waiter that missed the announcement (a cut connection) still finds out this soon.
_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True)
class Job:
    """A submitted job. Times are ISO 8601 UTC; `error` is {code, message}; progress is for bulk jobs."""

    id: str
    type: str
    organization_id: str
    status: Status
    attempts: int
    created_at: str
    updated_at: str
    result: dict[str, Any] | None
    error: dict[str, str] | None
    total: int = 0
    done: int = 0
    failed: int = 0

    @property
    def has_ended(self) -> bool:
        return self.status in ("completed", "failed")


class NewJob(NamedTuple):
    """A job to create. `at` is ISO 8601 UTC; `total` counts the messages of a bulk job."""

    id: str
    type: str
    organization_id: str
    at: str
    total: int = 0


class Jobs:
    """Submitted jobs by id, kept for seven days."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._end_job = client.register_script(_END.read_text(encoding="utf-8"))

    def record(self, job: NewJob) -> Record:
        """How a queued job is written: by who queues its messages, in the same step."""
        return Record(
            self._keys.job(job.id),
            _RETENTION_S,
            (
                "type", job.type, "organization", job.organization_id, "status", "queued", "attempts", 0,
                "created_at", job.at, "updated_at", job.at, "total", job.total,
            ),
        )  # fmt: skip

    async def get(self, job_id: str) -> Job | None:
        """The job, or None where no such job is known."""
        fields, items = await asyncio.gather(
            self._redis.hgetall(self._keys.job(job_id)), self._redis.hvals(self._keys.job_items(job_id))
        )
        if not fields:
            return None
        text = {name.decode(): value.decode() for name, value in fields.items()}
        result, error = text.get("result"), text.get("error")
        return Job(
            id=job_id,
            type=text["type"],
            organization_id=text["organization"],
            status=text["status"],
            attempts=int(text["attempts"]),
            created_at=text["created_at"],
            updated_at=text["updated_at"],
            result=orjson.loads(result) if result else None,
            error=orjson.loads(error) if error else None,
            total=int(text.get("total") or 0),
            done=sum(item == b"done" for item in items),
            failed=sum(item == b"failed" for item in items),
        )

    async def progress(
        self, job_id: str, status: Literal["running", "retrying"], *, attempts: int, at: str
    ) -> None:
        """Note that a worker has the job in hand, or will try again. An ended job stays ended."""
        if await self._has_ended(job_id):
            return
        await self._redis.hset(
            self._keys.job(job_id), mapping={"status": status, "attempts": attempts, "updated_at": at}
        )

    async def complete(
        self, job_ids: Sequence[str], result: dict[str, Any], *, message_id: str, at: str
    ) -> None:
        """End jobs (or their item, for bulk jobs) well. Repeating it changes nothing."""
        for job_id in job_ids:
            await self._end(job_id, message_id, "completed", orjson.dumps(result), at)

    async def fail(
        self,
        job_ids: Sequence[str],
        code: str,
        message: str,
        *,
        message_id: str,
        at: str,
        tell: Sequence[Noted] = (),
    ) -> None:
        """End jobs (or their item, for bulk jobs) with an error.

        Events that would `tell` of it are noted if a job as a whole fails now, and had not before.
        """
        error = orjson.dumps({"code": code, "message": message})
        for job_id in job_ids:
            await self._end(job_id, message_id, "failed", error, at, tell)

    async def wait(self, job_id: str, *, timeout_s: float) -> Job | None:
        """The job once it ended, or as it stands when the time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        async with self._redis.pubsub(ignore_subscribe_messages=True) as announcements:
            await announcements.subscribe(self._keys.jobs_ended())
            while True:
                job = await self.get(job_id)
                left = deadline - loop.time()
                if job is None or job.has_ended or left <= 0:
                    return job
                await self._next_end(announcements, job_id, min(left, _LOOK_AGAIN_S))

    async def _next_end(self, announcements: Any, job_id: str, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while (left := deadline - loop.time()) > 0:
            message = await announcements.get_message(timeout=left)
            if message is not None and message["data"] == job_id.encode():
                return

    async def _has_ended(self, job_id: str) -> bool:
        return await self._redis.hget(self._keys.job(job_id), "status") in (b"completed", b"failed", None)

    async def _end(
        self, job_id: str, message_id: str, status: str, value: bytes, at: str, tell: Sequence[Noted] = ()
    ) -> None:
        flat = [part for event in tell for part in event]
        await self._end_job(
            keys=[
                self._keys.job(job_id),
                self._keys.job_items(job_id),
                self._keys.webhook_events(),
            ],
            args=[job_id, message_id, status, value, at, _RETENTION_S, self._keys.jobs_ended(), *flat],
        )
