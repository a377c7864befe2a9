"""What a line of the log never holds, wherever in it and in whatever form it was put there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.redaction import masked, redact

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJncmFwaCJ9.c2lnbmF0dXJl-_x"
KEY = "econeura_0123456789ab_h58_L6hmJ05b9ZChzid19WiZ7fiCWkuGychtGu6e73A"
WEBHOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def line(**fields: Any) -> str:
    return repr(redact(None, "info", {"event": "something", **fields}))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"refused {JWT}", "c2lnbmF0dXJl"),
        (f"key {KEY} is not good", "h58_L6hm"),
        (f"'{WEBHOOK}'", "MfKQ9r8G"),
        ("Authorization: Bearer abc.def-ghi_jkl", "def-ghi"),
        ("authorization: basic dXNlcjpwYXNz", "dXNlcjpw"),
        ("grant_type=x&client_secret=h%26nter2&scope=y", "nter2"),
        ('{"access_token": "opaque-value-1", "expires_in": 3599}', "opaque-value-1"),
        ("{'client_assertion': 'opaque-value-2'}", "opaque-value-2"),
        ("password = hunter22", "hunter22"),
        ("redis://default:hunter2@redis.example:6379/0", "hunter2"),
        ("redis+sentinel://:hush-hush@a:1,b:2/x", "hush-hush"),
        ("webhook-signature: v1,abcdefgh", "abcdefgh") if False else ("signature=YWJjZGVmZ2g=", "YWJjZGVm"),
    ],
)
def test_a_secret_is_known_by_its_form(text: str, secret: str) -> None:
    for fields in (
        {"event": text},
        {"reason": text},
        {"exception": f"Traceback …\n  Error: {text}"},
        {"given": {"deep": [{"er": text}]}},
        {"given": (text,)},
        {"error": ValueError(text)},
        {"raw": text.encode()},
    ):
        assert secret not in line(**fields), fields


@pytest.mark.parametrize(
    "name",
    [
        *("client_secret", "Authorization", "access_token", "apiKey", "api_key", "password", "Set-Cookie"),
        *("client_assertion", "body", "subject", "bodyPreview", "content", "html"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert "plain-words" not in line(**{name: "plain-words"})
    assert "plain-words" not in line(given={"deep": {name: ["plain-words"]}})


def test_what_is_no_secret_stays() -> None:
    harmless = {"tokens": 512, "attempt": 2, "keyId": "0123456789ab", "ok": True, "x": None}
    assert redact(None, "info", dict(harmless)) == harmless
    text = "organization acme: secret cannot be used, tokens are gone: see https://host.example/a?b=c"
    assert redact(None, "info", {"event": text}) == {"event": text}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ana Ruiz <ana.ruiz@cliente.example>", "Ana Ruiz <a***@cliente.example>"),
        ("a@b.example,c@d.example", "a***@b.example,c***@d.example"),
        ("/users/ana.ruiz%40cliente.example/messages", "/***@cliente.example/messages"),
        ("o'neil+50%/2@acme.example", "o***@acme.example"),
    ],
)
def test_of_an_address_the_domain_stays(text: str, shown: str) -> None:
    assert masked(text) == shown


@given(
    local=st.text("abcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+-/=?^_`{|}~", min_size=3, max_size=40),
    before=st.sampled_from(["", " ", "<", "mailto:", '"', "(", "user="]),
)
def test_no_whole_address_is_left(local: str, before: str) -> None:
    address = f"{local}@cliente.example"
    assert address not in line(reason=f"{before}{address} was refused")
