"""What every actor does at its door: name the work in the logs, tell the job, own the claim."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import dramatiq
from dramatiq.middleware import CurrentMessage

from actors import resources
from workers import clock, logs
from workers.errors import LostClaim, TemporaryError

_log = logs.get_logger("actors")


@asynccontextmanager
async def door(
    *, organization_id: str = "", message_id: str = "", job_id: str | None = None
) -> AsyncIterator[dramatiq.Message[Any]]:
    """The queue message in hand; its id owns what the actor claims, also when it is delivered again.

    A lost claim ends the work quietly: another worker has the message and finishes it.
    """
    queue_message = CurrentMessage.get_current_message()
    if queue_message is None:
        raise RuntimeError("an actor was called outside a worker")
    with logs.bound(organization_id=organization_id, message_id=message_id):
        await _progress(job_id, "running", queue_message)
        try:
            yield queue_message
        except LostClaim:
            _log.warning("claim_lost", actor=queue_message.actor_name)
        except TemporaryError:
            await _progress(job_id, "retrying", queue_message)
            raise


def attempt_of(queue_message: dramatiq.Message[Any]) -> int:
    """Which try of a queue message this is; throttled ones do not count."""
    return int(queue_message.options.get("retries", 0)) + 1


async def _progress(
    job_id: str | None, status: Literal["running", "retrying"], queue_message: dramatiq.Message[Any]
) -> None:
    if job_id is None:
        return
    attempts = attempt_of(queue_message)
    at = clock.now_text()
    await resources.current().store.jobs.progress(job_id, status, attempts=attempts, at=at)
