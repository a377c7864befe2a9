"""What logs and metrics know of a message: one correlation id from end to end, counts and times."""

from __future__ import annotations

import time
from typing import Any

from dramatiq import Broker, Message, MessageProxy, Middleware, Worker

from workers.broker.delivery import Again, Delivery
from workers.broker.tally import Tally
from workers.logs import bound, correlation_id


def stamp(message: Message[Any]) -> None:
    """Give a message the correlation id of the work that sends it."""
    message.options.setdefault("correlation_id", correlation_id())


class Telemetry(Middleware):
    """Binds the message's ids to the logs while it runs, and counts how it ended."""

    def __init__(self) -> None:
        self._jobs = Tally()

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int) -> None:
        stamp(message)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        if message.failed or not isinstance(message, Delivery):
            return
        options = message.options
        message.context = bound(
            correlation_id=options.get("correlation_id"),
            organization_id=options.get("organization_id"),
            message_id=message.message_id,
        )
        message.context.__enter__()

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        if not isinstance(message, Delivery) or message.context is None:
            return
        ended_at = time.monotonic()
        message.context.__exit__(None, None, None)
        status = "completed"
        if exception is not None:
            status = "retrying" if isinstance(message.outcome, Again) else "failed"
        duration_s = ended_at - message.started_at
        organization = message.options.get("organization_id") or ""
        waited_s = message.waited_s + message.started_at - message.taken_at
        self._jobs.note(
            message.actor_name, status, organization, message.entry.priority, duration_s, waited_s
        )

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        if isinstance(message, Delivery) and message.context is not None:
            message.context.__exit__(None, None, None)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._jobs.flush()
