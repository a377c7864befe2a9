"""Fires of the schedule: the message of a due time, claimed and queued in one step of Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dramatiq import Message

from workers.broker.encoding import encode, level_of
from workers.broker.keys import Keys
from workers.broker.scripts import FIRE, AsyncClient

Why = Literal["due", "requested", "waiting"]
Outcome = Literal["published", "missed", "skipped", "waits", "busy", "already", "disabled", "changed"]
"""`busy` waits for the former run; `changed`: the job is not what the caller read, look again."""


@dataclass(frozen=True)
class Fire:
    """A due time of a job, and what publishing it takes. `missed` fires went before it."""

    job_id: str
    run_id: str
    version: int
    why: Why
    due_ms: int
    missed: int
    too_old: bool
    overlap: str
    at_work_ms: int
    """How long the run counts as at work, from its fire, should nobody say that it ended."""


async def publish(
    client: AsyncClient,
    fire: Fire,
    message: Message[Any],
    *,
    queue: Keys,
    schedule_keys: Sequence[str],
    runs_kept: int,
    hour_kept_s: int,
) -> Outcome:
    """Claim a fire and queue its message, unless it was claimed; raises what redis-py raises.

    `schedule_keys`: job, runs, order of runs and counts of this hour; they lie in the slot of `queue`.
    """
    reply: bytes = await FIRE.run_async(
        client,
        (*queue.base, *schedule_keys),
        (
            fire.version, fire.why, fire.due_ms, fire.missed, int(not fire.too_old), fire.overlap,
            fire.at_work_ms, runs_kept, fire.run_id, level_of(message), message.actor_name, encode(message),
            fire.job_id, hour_kept_s,
        ),
    )  # fmt: skip
    return reply.decode()  # type: ignore[return-value]
