"""A message in a worker's hands, and what is to become of it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from dramatiq import Message, MessageProxy

from workers.broker.encoding import Entry

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from workers.broker.hand import Hand


@dataclass(frozen=True, slots=True)
class Again:
    """Run it again after a delay; `body` is the message with its count of attempts."""

    delay_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Dead:
    """Put it with the dead letters, and send `follow_up` in the same step."""

    meta: bytes
    body: bytes
    follow_up: Message[Any] | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """Done; send the message that goes on with its result in the same step (as enqueue.lua takes it)."""

    arguments: tuple[int, int, str, bytes]


Outcome: TypeAlias = Literal["done", "given_back"] | Again | Dead | Next


class Settlement(NamedTuple):
    """What Redis is told of a delivery; all that is kept of it once it is over."""

    delivery_id: bytes
    actor: str
    priority: str
    outcome: Outcome


class Delivery(MessageProxy):
    """One hand-over of a message to this worker; a second hand-over is another delivery."""

    def __init__(self, message: Message[Any], entry: Entry, delivery_id: bytes, hand: Hand) -> None:
        super().__init__(message)
        # Found without MessageProxy's __getattr__: dramatiq reads these several times a message.
        self.queue_name = message.queue_name
        self.actor_name = message.actor_name
        self.args = message.args
        self.kwargs = message.kwargs
        self.options = message.options
        self.message_id = message.message_id
        self.entry = entry
        self.delivery_id = delivery_id
        self.hand = hand
        self.lease = hand.lease
        self.taken_at = time.monotonic()
        self.waited_s = 0.0
        self.started_at = 0.0
        self.context: ExitStack | None = None
        self.span: Span | None = None
        self.outcome: Outcome | None = None

    def begin(self) -> bool:
        """A thread has it now. False: another worker may have it by then, it must not run here."""
        self.started_at = time.monotonic()
        return self.lease == self.hand.lease and self.started_at <= self.hand.valid_until

    def settled(self, outcome: Outcome) -> Settlement:
        return Settlement(self.delivery_id, self.entry.actor, self.entry.priority, outcome)

    @property
    def exception(self) -> BaseException | None:
        return self._exception
