"""What every actor does at its door: name the work in the logs and tell who owns the claim."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from workers import logs
from workers.errors import LostClaim

_log = logs.get_logger("actors")


@contextmanager
def door(*, organization_id: str = "", message_id: str = "") -> Iterator[dramatiq.Message[Any]]:
    """The queue message in hand; its id owns what the actor claims, also when it is delivered again.

    A lost claim ends the work quietly: another worker has the message and finishes it.
    """
    queue_message = CurrentMessage.get_current_message()
    if queue_message is None:
        raise RuntimeError("an actor was called outside a worker")
    with logs.bound(organization_id=organization_id, message_id=message_id):
        try:
            yield queue_message
        except LostClaim:
            _log.warning("claim_lost", actor=queue_message.actor_name)
