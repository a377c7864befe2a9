"""Telling that a text names an address: whatever its case, and never as a part of another."""

from __future__ import annotations

import json

import pytest

from workers.erasure.correspondent import Correspondent
from workers.erasure.search import Search
from workers.errors import SettingsError

ANA = Correspondent(" Ana.Ruiz@Cliente.example ")


@pytest.mark.parametrize(
    "text",
    [
        "ana.ruiz@cliente.example",
        "Write to ANA.RUIZ@CLIENTE.EXAMPLE.",
        "<ana.ruiz@cliente.example>",
        '"Ana" <mailto:ana.ruiz@cliente.example?subject=x>',
        "x\nana.ruiz@cliente.example\ny",
        "ñana.ruiz@cliente.example, si",
    ],
)
def test_it_is_found_as_text_and_in_json(text: str) -> None:
    assert ANA.is_named_in(text.encode())
    assert ANA.is_named_in(json.dumps({"text": text}, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    "text",
    [
        "susana.ruiz@cliente.example",
        "x.ana.ruiz@cliente.example",
        "ana.ruiz@cliente.example.org",
        "ana.ruiz@cliente.examples",
        "anaxruiz@cliente.example",
        "ana.ruiz@otro.example",
        "",
    ],
)
def test_another_is_not_taken_for_it(text: str) -> None:
    assert not ANA.is_named_in(text.encode())


@pytest.mark.parametrize("address", ["", "ana", "@cliente.example", "ana@", "a b@c.example", "a@b@c.example"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="--address"):
        Correspondent(address)


def test_json_about_one_of_the_messages_concerns_the_search() -> None:
    search = Search(ANA, None, frozenset({"m/1=="}))
    assert search.concerns(b'{"messageId":"m/1==","subject":"x"}')
    assert search.concerns(b'{"data": {"messageId": "m/1=="}}')
    assert not search.concerns(b'{"messageId":"m/1"}')
    assert search.covers("any") and not Search(ANA, ["acme"]).covers("solo")
