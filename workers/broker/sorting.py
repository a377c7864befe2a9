"""What a worker does with each message it took: run it, or settle it at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import dramatiq
from dramatiq import Message
from dramatiq.errors import DecodeError

from workers.broker import retries
from workers.broker.delivery import Delivery, Outcome
from workers.broker.encoding import QUEUE, Entry, decode, parse
from workers.broker.hand import Hand, Taken
from workers.logs import get_logger

log = get_logger("broker")


def knows(actors: Mapping[str, dramatiq.Actor[Any, Any]], delivery: Delivery) -> bool:
    """Whether its actor is one of ours, and takes all that it is told: a newer release may tell it more."""
    actor = actors.get(delivery.actor_name)
    if actor is None:
        return False
    names = _arguments_of(actor.fn)
    return names is None or names.issuperset(delivery.kwargs)


def sort(is_known: Callable[[Delivery], bool], hand: Hand, taken: Taken) -> list[Delivery]:
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
            outcome = _unfit(delivery, is_known)
        if outcome is None:
            to_run.append(delivery)
        else:
            log.warning(
                "message not run", messageId=delivery.message_id, actor=entry.actor, outcome=_name(outcome)
            )
            hand.outbox.append(delivery.settled(outcome))
    return to_run


def _unfit(delivery: Delivery, is_known: Callable[[Delivery], bool]) -> Outcome | None:
    if delivery.entry.died_alone >= retries.POISON_DEATHS:
        return retries.poison(delivery)
    return None if is_known(delivery) else retries.unknown_actor(delivery)


@cache
def _arguments_of(function: Callable[..., Any]) -> frozenset[str] | None:
    """Their names; None where it takes any."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return frozenset(parameter.name for parameter in parameters)


def _placeholder(entry: Entry) -> Message[Any]:
    return Message(queue_name=QUEUE, actor_name=entry.actor, args=(), kwargs={}, options={})


def _name(outcome: Outcome) -> str:
    return outcome if isinstance(outcome, str) else type(outcome).__name__.lower()
