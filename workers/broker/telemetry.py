"""What logs and metrics know of a message: one correlation id from end to end, counts and times."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

from dramatiq import Broker, Message, MessageProxy, Middleware, Worker

from workers import tracing
from workers.broker.delivery import Again, Delivery
from workers.broker.tally import Tally
from workers.logs import bound, correlation_id

if TYPE_CHECKING:
    from opentelemetry.trace import Span


def stamp(message: Message[Any]) -> None:
    """Give a message the correlation id, and the place in a trace, of the work that sends it."""
    message.options.setdefault("correlation_id", correlation_id())
    if (parent := tracing.traceparent()) is not None:
        message.options.setdefault("traceparent", parent)


def _span(delivery: Delivery) -> AbstractContextManager[Span | None]:
    """Every try is a span of its own, all of them below whoever sent the message."""
    options = delivery.options
    about = {
        "messaging.system": "econeura",
        "messaging.operation.name": "process",
        "messaging.message.id": delivery.message_id,
        "econeura.actor": delivery.actor_name,
        "econeura.attempt": int(options.get("retries", 0)) + 1,
        "econeura.organization_id": options.get("organization_id") or "",
        "econeura.correlation_id": options.get("correlation_id") or "",
    }
    parent = options.get("traceparent")
    return tracing.span(f"process {delivery.actor_name}", "consumer", parent=parent, attributes=about)


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
        message.context = ExitStack()
        message.context.enter_context(
            bound(
                correlation_id=options.get("correlation_id"),
                organization_id=options.get("organization_id"),
                message_id=message.message_id,
            )
        )
        if tracing.is_on():
            message.span = message.context.enter_context(_span(message))

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
        status = "completed"
        if exception is not None:
            status = "retrying" if isinstance(message.outcome, Again) else "failed"
            tracing.note_failure(message.span, f"{status}: {type(exception).__name__}")
        message.context.close()
        duration_s = ended_at - message.started_at
        organization = message.options.get("organization_id") or ""
        waited_s = message.waited_s + message.started_at - message.taken_at
        self._jobs.note(
            message.actor_name, status, organization, message.entry.priority, duration_s, waited_s
        )

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        if isinstance(message, Delivery) and message.context is not None:
            message.context.close()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._jobs.flush()
