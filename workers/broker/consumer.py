"""dramatiq's view of the intake: one consumer at a time, made anew whenever dramatiq likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dramatiq import Consumer as DramatiqConsumer
from dramatiq import MessageProxy

from workers.broker import retries
from workers.broker.delivery import Delivery
from workers.broker.intake import Intake
from workers.broker.policy import DEFAULT

_FLUSH_S = 5.0


class Consumer(DramatiqConsumer):
    """Hands messages to dramatiq and their outcomes to the intake; keeps nothing itself.

    Losing Redis raises nothing here: the intake holds what it has, and `__next__` returns None meanwhile.
    """

    def __init__(
        self, intake: Intake, timeout_ms: int, *, on_close: Callable[[], None] | None = None
    ) -> None:
        """`on_close` ends the intake, where it is this consumer's alone."""
        self._intake = intake
        self._timeout_s = timeout_ms / 1000
        self._on_close = on_close
        intake.consume(True)

    def __next__(self) -> MessageProxy | None:
        return self._intake.next(self._timeout_s)

    def ack(self, message: MessageProxy) -> None:
        """Settle a message. One that failed without an outcome runs again: it is never lost by a bug."""
        if not isinstance(message, Delivery):
            return
        if message.outcome is None:
            error = message.exception
            message.outcome = "done" if error is None else retries.outcome_of(message, error, DEFAULT)
        self._settle(message)

    def nack(self, message: MessageProxy) -> None:
        """Settle a message that some middleware failed; without an outcome it is a dead letter."""
        if not isinstance(message, Delivery):
            return
        if message.outcome is None:
            error = message.exception or "failed by a middleware"
            message.outcome = retries.failed(message, error)
        self._settle(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Give back messages that no thread has started."""
        for message in messages:
            if isinstance(message, Delivery):
                message.outcome = "given_back"
                self._intake.settle(message)

    def close(self) -> None:
        self._intake.consume(False)
        self._intake.flush(_FLUSH_S)
        if self._on_close is not None:
            self._on_close()

    def _settle(self, delivery: Delivery) -> None:
        self._intake.settle(delivery)
        if self._on_close is not None:
            # No worker's thread looks after it.
            self._intake.flush(_FLUSH_S)
