"""Door 1: queue messages in, calls of the core out. Importing this package binds all actors to one broker."""

from __future__ import annotations

from typing import Any

import dramatiq

from workers import logs
from workers.broker import Broker

# Bound before any actor exists: without a broker dramatiq silently picks RabbitMQ on localhost.
broker = Broker()
dramatiq.set_broker(broker)


def message(
    actor: dramatiq.Actor[Any, Any],
    *,
    organization_id: str = "",
    priority: str = "normal",
    job_id: str | None = None,
    on_dead: dict[str, Any] | None = None,
    **arguments: Any,
) -> dramatiq.Message[Any]:
    """A queue message for an actor, with what the broker and the logs need to know beside its arguments.

    `on_dead` names the actor that is told, in the same atomic step, if the message ends as a dead letter.
    """
    options: dict[str, Any] = {"priority": priority, "correlation_id": logs.correlation_id()}
    if organization_id:
        options["organization_id"] = organization_id
        arguments["organization_id"] = organization_id
    if "mailbox" in arguments:
        options["partition_key"] = f"{organization_id}/{arguments['mailbox']}"
    if job_id is not None:
        options["job_id"] = job_id
        arguments["job_id"] = job_id
    if on_dead is not None:
        options["on_dead"] = on_dead
    return actor.message_with_options(kwargs=arguments, **options)
