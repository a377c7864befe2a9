"""What becomes of a message whose actor failed: again after a while, or to the dead letters."""

from __future__ import annotations

import random
import traceback
from asyncio import CancelledError
from dataclasses import dataclass
from typing import Any

import orjson
from dramatiq import Actor, Broker, Message, MessageProxy, Middleware
from dramatiq.errors import DecodeError, RateLimitExceeded, Retry

from workers.broker.delivery import Again, Dead, Delivery, Outcome
from workers.broker.encoding import QUEUE, Entry, with_options
from workers.errors import Busy, EconeuraError, PermanentError, TemporaryError, Throttled
from workers.logs import get_logger

log = get_logger("broker")
_TRACEBACK_CHARS = 4000
_ERROR_CHARS = 500
_UNKNOWN_ACTOR_EVERY_MS = 10_000
_UNKNOWN_ACTOR_TIMES = 60
POISON_DEATHS = 3


@dataclass(frozen=True, slots=True)
class Policy:
    """The wait before attempt n + 1 is base * factor^(n - 1) with up to half of it off, at most `cap_s`."""

    max_attempts: int = 12
    backoff_base_s: float = 1.0
    backoff_factor: float = 2.0
    backoff_cap_s: float = 600.0

    def backoff_s(self, attempts: int) -> float:
        full = min(self.backoff_base_s * self.backoff_factor ** min(attempts - 1, 30), self.backoff_cap_s)
        # Messages that failed together should not come back together.
        return full * random.uniform(0.5, 1.0)  # noqa: S311 no secret


DEFAULT = Policy()
"""12 attempts: waits of 1, 2, 4 ... 512, 600 seconds, some 25 minutes in all."""
OPTIONS = {"max_attempts", "backoff_base_s", "backoff_factor", "backoff_cap_s"}
"""What an actor may set for itself: `@actor(max_attempts=5)`."""


class Retries(Middleware):
    """Writes the outcome of a failed message on it. Sends nothing: the broker settles it in one step."""

    @property
    def actor_options(self) -> set[str]:
        return OPTIONS | {"throws"}

    def after_declare_actor(self, broker: Broker, actor: Actor[..., Any]) -> None:
        # dramatiq logs these in one line, and everything else with its traceback.
        actor.options.setdefault("throws", (TemporaryError, PermanentError))

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
        if isinstance(exception, CancelledError) and message.hand.is_leaving:
            message.outcome = "given_back"
            return
        message.outcome = outcome_of(message, exception, policy_of(broker.actors.get(message.actor_name)))
        if isinstance(message.outcome, Dead):
            log.error("message is a dead letter", actor=message.actor_name, error=describe(exception))
        elif isinstance(message.outcome, Again):
            delay_s = message.outcome.delay_ms / 1000
            log.warning(
                "message runs again", actor=message.actor_name, error=describe(exception), delay_s=delay_s
            )


def policy_of(actor: Actor[..., Any] | None) -> Policy:
    """The actor's own options over the defaults."""
    chosen = {name: value for name, value in (actor.options if actor else {}).items() if name in OPTIONS}
    return Policy(**chosen) if chosen else DEFAULT


def outcome_of(delivery: Delivery, exception: BaseException, policy: Policy) -> Outcome:
    """Sort a failure: permanent, told when to come back, told to slow down, or anything else."""
    attempts = int(delivery.options.get("retries", 0)) + 1
    if isinstance(exception, PermanentError):
        return dead(delivery, exception.code, exception, attempts)
    if isinstance(exception, Throttled | Busy | RateLimitExceeded):
        # Nothing was tried in vain; how long to wait still grows where nobody said how long.
        waits = int(delivery.options.get("waits", 0)) + 1
        return _again(delivery, exception, policy.backoff_s(waits), retries=attempts - 1, waits=waits)
    if attempts >= policy.max_attempts:
        return dead(delivery, "attempts_exhausted", exception, attempts)
    return _again(delivery, exception, policy.backoff_s(attempts), retries=attempts)


def dead(delivery: Delivery, reason: str, error: BaseException | str, attempts: int) -> Dead:
    """The dead letter, and the message that `on_dead` asks to send with it."""
    tail = ""
    if isinstance(error, BaseException):
        tail = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARS:]
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
    """The message `options["on_dead"]` describes, told why."""
    asked = delivery.options.get("on_dead")
    if not asked:
        return None
    inherited = ("priority", "correlation_id", "organization_id", "job_id", "partition_key")
    return Message(
        queue_name=QUEUE,
        actor_name=asked["actor"],
        args=(),
        kwargs={**asked.get("kwargs", {}), "reason": reason, "error": error},
        options={name: delivery.options[name] for name in inherited if name in delivery.options},
    )


def unknown_actor(delivery: Delivery) -> Outcome:
    """During a rolling upgrade another worker may know it: wait some ten minutes, then give up."""
    times = int(delivery.options.get("unknown_actor", 0)) + 1
    if times > _UNKNOWN_ACTOR_TIMES:
        return dead(delivery, "unknown_actor", f"no worker knows the actor {delivery.actor_name}", 0)
    delivery.options["unknown_actor"] = times
    return Again(_UNKNOWN_ACTOR_EVERY_MS, _body(delivery))


def poison(delivery: Delivery) -> Outcome:
    """It ended its worker every time it ran alone."""
    attempts = int(delivery.options.get("retries", 0)) + POISON_DEATHS
    return dead(delivery, "poison", f"{POISON_DEATHS} workers died running it alone", attempts)


def describe(error: BaseException | str) -> str:
    if isinstance(error, EconeuraError):
        return str(error)[:_ERROR_CHARS]
    return (error if isinstance(error, str) else f"{type(error).__name__}: {error}")[:_ERROR_CHARS]


def _again(delivery: Delivery, exception: BaseException, backoff_s: float, **counts: int) -> Again:
    wait_s = backoff_s
    if isinstance(exception, TemporaryError) and exception.retry_after_s is not None:
        wait_s = exception.retry_after_s
    elif isinstance(exception, Retry) and exception.delay is not None:
        wait_s = exception.delay / 1000
    delivery.options.update(counts, error=describe(exception))
    return Again(max(int(wait_s * 1000), 0), _body(delivery))


def _body(delivery: Delivery) -> bytes:
    """From what was stored: an actor may have changed the arguments that it was given."""
    return with_options(delivery.entry.body, delivery.options)


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
