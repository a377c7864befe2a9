"""Jobs handed in: written down, then queued. Nothing is answered before Redis has both."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

import dramatiq
import redis

from api.batches import Batches
from workers.broker import Producer
from workers.store import Jobs, NewJob


@dataclass(frozen=True)
class Submission:
    """A job and the queue messages that do it."""

    job: NewJob
    messages: Sequence[dramatiq.Message[Any]]


class Submissions:
    """Takes in jobs; those of the same moment share two round trips."""

    def __init__(self, jobs: Jobs, producer: Producer) -> None:
        self._jobs = jobs
        self._producer = producer
        self._batches: Batches[Submission] = Batches(self._submit)

    async def submit(self, job: NewJob, messages: Sequence[dramatiq.Message[Any]]) -> None:
        """Return when Redis has the job and its messages, else raise QueueUnavailable or RedisError."""
        await self._batches.add(Submission(job, messages))

    async def _submit(self, submissions: list[Submission]) -> None:
        # The job first: its messages may be done before we hear that they were queued.
        await self._jobs.create(*(submission.job for submission in submissions))
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._discard, [submission.job.id for submission in submissions])
            await self._producer.send(
                *(message for submission in submissions for message in submission.messages)
            )
            undo.pop_all()

    async def _discard(self, job_ids: list[str]) -> None:
        with suppress(redis.RedisError):
            await self._jobs.discard(*job_ids)
