"""Callers who are not who they say: credentials, names of requests, notifications that Graph never sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.case import KEY, Case, post, request

_SUBSCRIPTION = "7f105c7d-2dc5-4530-97cd-4e7ae6534c07"
_ITEM = {
    "subscriptionId": _SUBSCRIPTION,
    "clientState": "guessed",
    "changeType": "created",
    "resource": "users/x/messages/y",
    "tenantId": "t",
    "resourceData": {"id": "y"},
}
FORGED = (202,)
"""Graph sends again what is not answered with 2xx: forged items are dropped, the batch is not refused."""


def cases() -> Iterator[Case]:
    yield from _credentials()
    yield from _names()
    yield from _notifications()
    yield from _handshakes()


def _credentials() -> Iterator[Case]:
    given: dict[str, bytes] = {
        "nothing": b"",
        "no scheme": KEY,
        "another scheme": b"Basic " + KEY,
        "scheme alone": b"Bearer",
        "two keys": b"Bearer " + KEY + b" x",
        "half a key": b"Bearer econeura_abc",
        "no secret": b"Bearer econeura_abc_",
        "a wrong secret": b"Bearer econeura_0123456789ab_wrong",
        "another case": b"Bearer ECONEURA_0123456789AB_X",
        "7,000 characters": b"Bearer " + b"a" * 7_000,
        "not ASCII": "Bearer ñ".encode(),
        "not UTF-8": b"Bearer \xff\xfe",
        "unsigned token": b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
        "signed token": b"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2ln",
        "SQL": b"Bearer ' OR 1=1 --",
        "JSON": b'Bearer {"$ne": null}',
        "bootstrap": b"Bearer bootstrap",
        "commas": b"Bearer a, Bearer b",
    }
    for name, value in given.items():
        headers = {"Authorization": value} if value else {}
        yield request(f"key: {name}", "GET", "/organizations", headers=headers, expect=(401,), with_key=False)


def _names() -> Iterator[Case]:
    one = {"messageId": "m1", "organizationId": "solo"}
    names = {"empty": "", "256 characters": "a" * 256, "spaces": "a b", "accents": "é", "tab": "a\tb"}
    for name, value in names.items():
        yield post(f"request name: {name}", "/emails/process", one, headers={"Idempotency-Key": value})


def _notifications() -> Iterator[Case]:
    no_batch: dict[str, Any] = {
        "a list": [_ITEM],
        "null": None,
        "text": "x",
        "number": 1,
        "no value": {},
        "value null": {"value": None},
        "value an object": {"value": _ITEM},
        "value text": {"value": "x"},
        "not JSON": b"value=1",
        "NaN": b'{"value": [NaN]}',
        "half": b'{"value": [',
        "nothing": b" ",
        "not UTF-8": b'{"value": ["\xff"]}',
        "deep": b'{"value":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    }
    for name, content in no_batch.items():
        yield post(f"no batch: {name}", "/listen", content, expect=(400,))
    forged: dict[str, list[Any]] = {
        "wrong secret": [_ITEM],
        "no secret": [{**_ITEM, "clientState": None}],
        "empty secret": [{**_ITEM, "clientState": ""}],
        "secret as a list": [{**_ITEM, "clientState": ["guessed"]}],
        "secret of 500,000": [{**_ITEM, "clientState": "a" * 500_000}],
        "secret of surrogates": [{**_ITEM, "clientState": "\U0001f600" * 50}],
        "no subscription": [{"clientState": "guessed"}],
        "subscription of 100,000": [{**_ITEM, "subscriptionId": "a" * 100_000}],
        "subscription as an object": [{**_ITEM, "subscriptionId": {}}],
        "subscription with line break": [{**_ITEM, "subscriptionId": "a\r\nFLUSHALL"}],
        "null inside": [None],
        "number inside": [1],
        "list inside": [[]],
        "empty inside": [{}],
        "4,000 of nothing": [{}] * 4_000,
        "2,000 subscriptions": [{**_ITEM, "subscriptionId": f"s{n}"} for n in range(2_000)],
        "lifecycle": [{**_ITEM, "lifecycleEvent": "subscriptionRemoved"}],
        "unknown lifecycle": [{**_ITEM, "lifecycleEvent": "x"}],
        "lifecycle as a list": [{**_ITEM, "lifecycleEvent": []}],
        "encrypted": [{**_ITEM, "encryptedContent": {"data": "AAAA"}}],
        "encrypted as text": [{**_ITEM, "encryptedContent": "AAAA"}],
        "resource of another": [{**_ITEM, "resource": "../../me/messages"}],
    }
    for name, items in forged.items():
        yield post(f"forged: {name}", "/listen", {"value": items}, expect=FORGED)
    twice = json.dumps(_ITEM)[:-1] + ', "clientState": "again"}'
    yield post(
        "forged: secret named twice", "/listen", f'{{"value": [{twice}]}}'.encode(), expect=(400, *FORGED)
    )
    tokens = {"value": [_ITEM], "validationTokens": ["eyJhbGciOiJub25lIn0.e30."] * 100}
    yield post("forged: tokens", "/listen", tokens, expect=FORGED)


def _handshakes() -> Iterator[Case]:
    token = "a" * 5_000
    yield request("handshake: of 5,000", "POST", f"/listen?validationToken={token}", expect=(400, 422))
    yield request("handshake: unknown parameter", "POST", "/listen?token=a", expect=(400, 422))
