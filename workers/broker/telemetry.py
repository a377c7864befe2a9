"""What logs and metrics know of a message: one correlation id from end to end, counts and times."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from dramatiq import Broker, Message, MessageProxy, Middleware

from workers import metrics
from workers.broker.delivery import Again, Delivery
from workers.logs import bound, correlation_id


def stamp(message: Message[Any]) -> None:
    """Give a message the correlation id of the work that sends it."""
    message.options.setdefault("correlation_id", correlation_id())


class Telemetry(Middleware):
    """Binds the message's ids to the logs while it runs, and counts how it ended."""

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int) -> None:
        stamp(message)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        if message.failed or not isinstance(message, Delivery):
            return
        now = time.monotonic()
        metrics.PICKUP_LATENCY.labels(message.entry.priority).observe(
            message.waited_s + now - message.taken_at
        )
        context = ExitStack()
        context.enter_context(
            bound(
                correlation_id=message.options.get("correlation_id"),
                organization_id=message.options.get("organization_id"),
                message_id=message.message_id,
            )
        )
        message.started_at, message.context = now, context

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
        message.context.close()
        status = "completed"
        if exception is not None:
            status = "retrying" if isinstance(message.outcome, Again) else "failed"
        actor = message.actor_name
        organization = message.options.get("organization_id") or ""
        metrics.JOBS_PROCESSED.labels(actor, status, organization).inc()
        metrics.JOB_DURATION.labels(actor, status).observe(time.monotonic() - message.started_at)
