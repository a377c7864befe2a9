"""Messages as they are stored: dramatiq's JSON, written by orjson, behind the broker's header line."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import orjson
from dramatiq import Message
from dramatiq.errors import DecodeError

from workers.broker.keys import PRIORITIES, partition_of
from workers.errors import MessageTooLarge

MAX_BYTES = 256 * 1024
LONGEST_DELAY_MS = 10 * 365 * 86_400_000
"""The time at which a message is due has 13 digits."""
QUEUE = "default"
_FIELDS = tuple(field.name for field in dataclasses.fields(Message))
_LEVELS = {priority: level for level, priority in enumerate(PRIORITIES)}


class Entry(NamedTuple):
    """A stored message; the fields before `body` are its header (see prelude.lua)."""

    priority: str
    died_in_company: int
    died_alone: int
    ready_ms: int
    number: int
    actor: str
    body: bytes


def encode(message: Message[Any]) -> bytes:
    """The message as JSON; raises TypeError for values that JSON has not."""
    return orjson.dumps(message)


def with_options(body: bytes, options: dict[str, Any]) -> bytes:
    """The same message with other options; what the message says is taken over as it was."""
    return orjson.dumps(
        {**orjson.loads(body), "options": options}, default=str, option=orjson.OPT_NON_STR_KEYS
    )


def decode(body: bytes) -> Message[Any]:
    """Read a message; raises DecodeError for anything that is not one."""
    try:
        fields = orjson.loads(body)
        fields["args"] = tuple(fields["args"])
        # Each queue name would need a consumer of its own; ours differ in priority, not in queue.
        fields["queue_name"] = QUEUE
        # Of a newer release there may be more.
        message: Message[Any] = Message(**{name: fields[name] for name in _FIELDS if name in fields})
    except (orjson.JSONDecodeError, KeyError, TypeError) as wrong:
        raise DecodeError("not a message", body, wrong) from wrong  # type: ignore[no-untyped-call]
    if not (
        isinstance(message.actor_name, str)
        and isinstance(message.kwargs, dict)
        and isinstance(message.options, dict)
    ):
        raise DecodeError("not a message", body, None)
    # Redis knows when a message is due: dramatiq must not keep it waiting in memory.
    message.options.pop("eta", None)
    return message


def parse(entry: bytes) -> Entry:
    """Split a stored message into header and body."""
    head, _, body = entry.partition(b"\n")
    digits, _, actor = head.partition(b" ")
    return Entry(
        PRIORITIES[digits[0] - 48],
        digits[1] - 48,
        digits[2] - 48,
        int(digits[3:16]),
        int(digits[16:]),
        actor.decode(errors="replace"),
        body,
    )


def level_of(message: Message[Any]) -> int:
    """0 for urgent to 3 for low; raises ValueError for a priority that does not exist."""
    priority = message.options.get("priority", "normal")
    try:
        return _LEVELS[priority]
    except KeyError:
        raise ValueError(f"priority {priority!r} is not one of {', '.join(PRIORITIES)}") from None


def partition_for(message: Message[Any], partitions: int) -> int:
    """By partition key, else organization and mailbox, so that what belongs together stays in order."""
    if partitions == 1:
        return 0
    options = message.options
    key = options.get("partition_key")
    if key is None and "organization_id" in options:
        key = f"{options['organization_id']} {message.kwargs.get('mailbox', '')}"
    return partition_of(str(key or message.message_id), partitions)


def arguments(message: Message[Any], delay_ms: int = 0) -> tuple[int, int, str, bytes]:
    """The message as enqueue.lua takes it.

    Raises MessageTooLarge over MAX_BYTES, ValueError for a name or priority that cannot be, and as `encode`.
    """
    body = encode(message)
    if "\n" in message.actor_name:
        raise ValueError(f"actor name {message.actor_name!r} has a line break")
    if len(body) > MAX_BYTES:
        raise MessageTooLarge(
            f"message for {message.actor_name} has {len(body)} bytes, over the limit of {MAX_BYTES}: "
            "send an id and park the content elsewhere"
        )
    return level_of(message), stored_delay_ms(delay_ms), message.actor_name, body


def stored_delay_ms(delay_ms: float) -> int:
    """A delay as it can be stored: not negative, some years at most, and none for what is no number."""
    return int(min(delay_ms, LONGEST_DELAY_MS)) if delay_ms > 0 else 0
