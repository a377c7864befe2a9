"""Door 1: queue messages in, calls of the core out. Importing this package binds all actors to one broker."""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from workers import logs
from workers.broker import Broker
from workers.ids import new_id

LOOK_PRIORITY = "high"
"""Of looks at a mailbox: mail that waits to be worked on must not hide what came after it, urgent or not."""

# Bound before any actor exists: without a broker dramatiq silently picks RabbitMQ on localhost.
broker = Broker()
broker.add_middleware(CurrentMessage())
dramatiq.set_broker(broker)


def message(
    actor: dramatiq.Actor[Any, Any],
    *,
    organization_id: str = "",
    priority: str = "normal",
    job_id: str | None = None,
    **arguments: Any,
) -> dramatiq.Message[Any]:
    """A queue message for an actor, with what the broker and the logs need to know beside its arguments.

    A message about emails also says who is told, in the same atomic step, should it become a dead letter:
    the ledger, through `record_death`, which gets the same arguments.
    """
    options: dict[str, Any] = {"priority": priority, "correlation_id": logs.correlation_id()}
    if organization_id:
        options["organization_id"] = organization_id
        arguments["organization_id"] = organization_id
    if job_id is not None:
        arguments["job_id"] = job_id
    if actor.actor_name != "record_death" and ("message_id" in arguments or "message_ids" in arguments):
        options["on_dead"] = {"actor": "record_death"}
    return dramatiq.Message(
        queue_name=actor.queue_name,
        actor_name=actor.actor_name,
        args=(),
        kwargs=arguments,
        options=options,
        message_id=new_id(),
    )
