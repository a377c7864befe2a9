"""What a worker does with each message it took: run it, or settle it at once."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from dramatiq import Message
from dramatiq.errors import DecodeError

from workers.broker import retries
from workers.broker.delivery import Delivery, Outcome
from workers.broker.encoding import QUEUE, Entry, decode, parse
from workers.broker.hand import Hand, Taken
from workers.logs import get_logger

log = get_logger("broker")


def sort(actors: Container[str], hand: Hand, taken: Taken) -> list[Delivery]:
    """Record in the hand what was taken; return what is to run, put the rest in the outbox."""
    to_run = []
    for delivery_id, raw in taken.messages:
        entry = parse(raw)
        outcome: Outcome | None = None
        try:
            message = decode(entry.body)
        except DecodeError as error:
            message = _placeholder(entry)
            outcome = retries.undecodable(entry, error)
        delivery = Delivery(message, entry, delivery_id, hand)
        delivery.waited_s = max(taken.now_ms - entry.ready_ms, 0) / 1000
        hand.held[delivery_id] = delivery
        if outcome is None:
            outcome = _unfit(delivery, actors)
        if outcome is None:
            to_run.append(delivery)
        else:
            log.warning(
                "message not run", messageId=delivery.message_id, actor=entry.actor, outcome=_name(outcome)
            )
            hand.outbox.append(delivery.settled(outcome))
    return to_run


def _unfit(delivery: Delivery, actors: Container[str]) -> Outcome | None:
    if delivery.entry.died_alone >= retries.POISON_DEATHS:
        return retries.poison(delivery)
    if delivery.actor_name not in actors:
        return retries.unknown_actor(delivery)
    return None


def _placeholder(entry: Entry) -> Message[Any]:
    return Message(queue_name=QUEUE, actor_name=entry.actor, args=(), kwargs={}, options={})


def _name(outcome: Outcome) -> str:
    return outcome if isinstance(outcome, str) else type(outcome).__name__.lower()
