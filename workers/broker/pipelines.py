"""Pipelines: the message that goes on with a result is sent in the step that settles the one before it."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, Message, MessageProxy
from dramatiq.middleware import Pipelines as StockPipelines

from workers.broker.delivery import Delivery, Next
from workers.broker.encoding import arguments
from workers.broker.retries import dead
from workers.errors import MessageTooLarge
from workers.logs import get_logger

log = get_logger("broker")


class Pipelines(StockPipelines):
    """dramatiq's, but that it sends nothing itself: its next message would be lost, or sent twice."""

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        target = message.options.get("pipe_target")
        if target is None or exception is not None or message.failed or not isinstance(message, Delivery):
            return
        try:
            following: Message[Any] = Message(**target)
            if not (following.options.get("pipe_ignore") or _ignores(broker, message.actor_name)):
                following = following.copy(args=(*following.args, result))
            delay_ms = following.options.get("delay") or 0
            broker.emit_before("enqueue", following, delay_ms)
            message.outcome = Next(arguments(following, delay_ms))
        except (MessageTooLarge, TypeError, ValueError) as wrong:
            log.error("result cannot be handed on", actor=message.actor_name, error=str(wrong))
            message.outcome = dead(message, "not_handed_on", wrong, 1)
            message.fail()
        else:
            broker.emit_after("enqueue", following, delay_ms)


def _ignores(broker: Broker, actor_name: str) -> bool:
    return bool(broker.get_actor(actor_name).options.get("pipe_ignore"))
