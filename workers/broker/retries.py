"""What becomes of a message whose actor failed: again after a while, or to the dead letters."""

from __future__ import annotations

import traceback
from asyncio import CancelledError
from typing import Any

import orjson
from dramatiq import Actor, Broker, Message, MessageProxy, Middleware
from dramatiq.errors import DecodeError, RateLimitExceeded, Retry
from dramatiq.middleware.shutdown import Shutdown

from workers.broker.delivery import Again, Dead, Delivery, Outcome
from workers.broker.encoding import QUEUE, Entry, stored_delay_ms, with_options
from workers.broker.policy import DEFAULT, OF_DRAMATIQ, OURS, Policy, policy_for
from workers.errors import Busy, EconeuraError, PermanentError, TemporaryError, Throttled
from workers.logs import get_logger

log = get_logger("broker")
_TRACEBACK_CHARS = 4000
_ERROR_CHARS = 500
_UNKNOWN_ACTOR_EVERY_MS = 10_000
_UNKNOWN_ACTOR_TIMES = 60
POISON_DEATHS = 3
_EXPECTED = (TemporaryError, PermanentError)
_COUNTED = ("retries", "waits", "unknown_actor")
_MOST_COUNTED = 10**6


class Retries(Middleware):
    """Writes the outcome of a failed message on it. Sends nothing: the broker settles it in one step."""

    def __init__(self, default: Policy = DEFAULT) -> None:
        self._default = default

    @property
    def actor_options(self) -> set[str]:
        return OURS | OF_DRAMATIQ

    def after_declare_actor(self, broker: Broker, actor: Actor[..., Any]) -> None:
        # dramatiq logs these in one line, and everything else with its traceback.
        throws = actor.options.get("throws", ())
        own = throws if isinstance(throws, tuple) else (throws,)
        actor.options["throws"] = (*own, *(error for error in _EXPECTED if error not in own))

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        if exception is None or not isinstance(message, Delivery):
            return
        if isinstance(exception, CancelledError | Shutdown) and message.hand.is_leaving:
            message.outcome = "given_back"
            return
        actor = broker.actors.get(message.actor_name)
        message.outcome = outcome_of(message, exception, policy_for(message, actor, self._default))
        if isinstance(message.outcome, Dead):
            # Who stores results is told that there will be none.
            message.fail()
            log.error("message is a dead letter", actor=message.actor_name, error=describe(exception))
        elif isinstance(message.outcome, Again):
            delay_s = message.outcome.delay_ms / 1000
            # To wait for one's turn is no failure, and in a burst all do.
            tell = log.debug if isinstance(exception, Throttled | Busy) else log.warning
            tell("message runs again", actor=message.actor_name, error=describe(exception), delay_s=delay_s)


def outcome_of(delivery: Delivery, exception: BaseException, policy: Policy) -> Outcome:
    """Sort a failure: permanent, told when to come back, told to slow down, or anything else."""
    attempts = _counted(delivery, "retries") + 1
    if isinstance(exception, PermanentError):
        return dead(delivery, exception.code, exception, attempts)
    if isinstance(exception, Throttled | Busy | RateLimitExceeded):
        # Nothing was tried in vain; how long to wait still grows where nobody said how long.
        waits = _counted(delivery, "waits") + 1
        return _again(delivery, exception, policy.backoff_s(waits), retries=attempts - 1, waits=waits)
    if not isinstance(exception, TemporaryError) and isinstance(exception, policy.throws):
        return dead(delivery, "permanent", exception, attempts)
    if not policy.allows_another(attempts, exception):
        return dead(delivery, "attempts_exhausted", exception, attempts)
    return _again(delivery, exception, policy.backoff_s(attempts), retries=attempts)


def dead(delivery: Delivery, reason: str, error: BaseException | str, attempts: int) -> Dead:
    """The dead letter, and the message that `on_dead` asks to send with it."""
    tail = ""
    if isinstance(error, BaseException):
        tail = _storable("".join(traceback.format_exception(error))[-_TRACEBACK_CHARS:])
    options = delivery.options
    text = describe(error)
    meta = {
        "reason": reason,
        "error": text,
        "traceback": tail,
        "attempts": attempts,
        "organization_id": options.get("organization_id"),
    }
    return Dead(orjson.dumps(meta), _body(delivery), follow_up(delivery, reason, text))


def follow_up(delivery: Delivery, reason: str, error: str) -> Message[Any] | None:
    """The message `options["on_dead"]` describes, told why: {"actor": name, "kwargs": {...}}.

    Without kwargs it is told those of the message itself, which are then stored only once.
    """
    asked = delivery.options.get("on_dead")
    if not isinstance(asked, dict) or not isinstance(asked.get("actor"), str):
        return None
    told = asked["kwargs"] if "kwargs" in asked else orjson.loads(delivery.entry.body)["kwargs"]
    inherited = ("correlation_id", "traceparent", "organization_id", "partition_key")
    return Message(
        queue_name=QUEUE,
        actor_name=asked["actor"],
        args=(),
        kwargs={**(told if isinstance(told, dict) else {}), "reason": reason, "error": error},
        options={
            "priority": delivery.entry.priority,
            **{name: delivery.options[name] for name in inherited if name in delivery.options},
        },
    )


def unknown_actor(delivery: Delivery) -> Outcome:
    """No worker that took it knows its actor, or arguments that it names.

    During a rolling upgrade another worker may: wait some ten minutes, then give up.
    """
    times = _counted(delivery, "unknown_actor") + 1
    if times > _UNKNOWN_ACTOR_TIMES:
        named = f"{delivery.actor_name}({', '.join(delivery.kwargs)})"
        return dead(delivery, "unknown_actor", f"no worker knows the actor {named}", 0)
    delivery.options["unknown_actor"] = times
    return Again(_UNKNOWN_ACTOR_EVERY_MS, _body(delivery))


def poison(delivery: Delivery) -> Outcome:
    """It ended its worker every time it ran alone."""
    attempts = _counted(delivery, "retries") + POISON_DEATHS
    return dead(delivery, "poison", f"{POISON_DEATHS} workers died running it alone", attempts)


def failed(delivery: Delivery, error: BaseException | str) -> Outcome:
    """Some middleware decided that it must not run."""
    return dead(delivery, "failed", error, _counted(delivery, "retries") + 1)


def describe(error: BaseException | str) -> str:
    """What went wrong, in a line or two that JSON can hold; never raises, whatever the error is."""
    if isinstance(error, str):
        text = error
    elif isinstance(error, EconeuraError):
        text = str(error)
    else:
        # It survives an error that cannot say what it is.
        text = "".join(traceback.format_exception_only(error)).strip()
        text = text[max(text.find(type(error).__name__), 0) :]
    return _storable(text[:_ERROR_CHARS])


def _storable(text: str) -> str:
    """Half a surrogate pair, as undecodable mail yields, is nothing that can be stored as UTF-8."""
    return text.encode(errors="replace").decode()


def _counted(delivery: Delivery, name: str) -> int:
    """A count in the options, which come from outside."""
    count = delivery.options.get(name, 0)
    return min(max(count, 0), _MOST_COUNTED) if isinstance(count, int) else 0


def _again(delivery: Delivery, exception: BaseException, backoff_s: float, **counts: int) -> Again:
    wait_s = backoff_s
    if isinstance(exception, TemporaryError) and exception.retry_after_s is not None:
        wait_s = exception.retry_after_s
    elif isinstance(exception, Retry) and exception.delay is not None:
        wait_s = exception.delay / 1000
    delivery.options.update(counts, error=describe(exception))
    return Again(stored_delay_ms(wait_s * 1000), _body(delivery))


def _body(delivery: Delivery) -> bytes:
    """From what was stored: an actor may have changed the arguments that it was given."""
    stored, options = delivery.entry.body, delivery.options
    try:
        return with_options(stored, options)
    except TypeError:
        # Something was put there that JSON has not: what was sent counts, and what we keep ourselves.
        ours = {name: options[name] for name in (*_COUNTED, "error") if name in options}
        return with_options(stored, {**orjson.loads(stored)["options"], **ours})


def undecodable(entry: Entry, error: DecodeError) -> Dead:
    """Not a message of dramatiq's: kept as it is, for a person to look at."""
    meta = {
        "reason": "undecodable",
        "error": describe(error),
        "traceback": "",
        "attempts": 0,
        "organization_id": None,
    }
    return Dead(orjson.dumps(meta), entry.body)
