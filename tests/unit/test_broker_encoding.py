"""How messages are written and read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dramatiq import Message
from dramatiq.errors import DecodeError

from workers.broker.encoding import decode, encode, parse, partition_for
from workers.broker.keys import Keys


def message(**options: Any) -> Message[Any]:
    return Message("default", "work", (1, "dos"), {"mailbox": "a@b.example"}, options)


def test_a_stock_client_reads_our_messages_and_we_read_its() -> None:
    ours = message(priority="high")
    assert Message.decode(encode(ours)) == ours
    assert decode(ours.encode()) == ours


def test_another_queue_name_and_a_due_time_are_taken_off() -> None:
    read = decode(message(eta=12345).copy(queue_name="mail.DQ").encode())
    assert read.queue_name == "default"
    assert read.options == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        json.dumps({**message().asdict(), "args": None}).encode(),
        json.dumps({**message().asdict(), "options": []}).encode(),
        json.dumps({**message().asdict(), "actor_name": 7}).encode(),
    ],
)
def test_anything_else_is_not_a_message(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(body)


def test_the_header_is_split_from_the_message_at_the_first_line_end() -> None:
    entry = parse(b"2011795361192402117 process_email\nanything\nat all")
    assert entry == ("normal", 0, 1, 1795361192402, 117, "process_email", b"anything\nat all")


def test_what_belongs_together_goes_to_one_partition() -> None:
    same = {partition_for(message(organization_id="org"), 8) for _ in range(20)}
    assert len(same) == 1
    assert partition_for(message(partition_key="k"), 8) == partition_for(message(partition_key="k"), 8)
    assert len({partition_for(message(), 8) for _ in range(200)}) == 8
    assert partition_for(message(), 1) == 0


def test_all_keys_of_a_partition_share_its_tag() -> None:
    assert Keys("econeura")["bell"] == "{econeura}:q:bell"
    second = Keys("econeura", 1, 3)
    assert {key.split("}")[0] for key in (*second.base, *second.of_worker("w"), second.of_producer("p"))} == {
        "{econeura:1"
    }
