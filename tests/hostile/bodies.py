"""Bodies: no JSON, too much of it, other types, other fields."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from tests.hostile.case import KEY, Case, post, raw, request

_ONE = {"messageId": "m1", "organizationId": "solo"}
_PROCESS = "/emails/process"
_ANY = (400, 404, 409, 422)
_HOST = b"Host: localhost\r\nAuthorization: Bearer " + KEY + b"\r\nContent-Type: application/json\r\n"


def cases() -> Iterator[Case]:
    yield from _no_json()
    yield from _wrong_types()
    yield from _wrong_fields()
    yield from _too_much()
    yield from _codings_and_types()
    yield from _other_routes()


def _no_json() -> Iterator[Case]:
    texts: dict[str, bytes] = {
        "half": b'{"messageId": "m1", "organ',
        "NaN": b'{"messageId": NaN, "organizationId": "solo"}',
        "Infinity": b'{"messageId": Infinity}',
        "minus Infinity": b'{"messageId": -Infinity}',
        "single quotes": b"{'messageId': 'm1'}",
        "no quotes": b"{messageId: 1}",
        "trailing comma": b'{"messageId": "m1",}',
        "comment": b'{"messageId": "m1" /* x */}',
        "two documents": b'{"messageId": "m1"}{"organizationId": "solo"}',
        "something behind": b'{"messageId": "m1"} x',
        "byte order mark": b"\xef\xbb\xbf" + json.dumps(_ONE).encode(),
        "UTF-16": json.dumps(_ONE).encode("utf-16"),
        "UTF-32": json.dumps(_ONE).encode("utf-32"),
        "Latin-1": '{"messageId": "ñ"}'.encode("latin-1"),
        "overlong UTF-8": b'{"messageId": "\xc0\xaf"}',
        "surrogate as UTF-8": b'{"messageId": "\xed\xa0\x80"}',
        "half a surrogate pair": b'{"messageId": "\\ud800", "organizationId": "solo"}',
        "surrogates the wrong way round": b'{"messageId": "\\udc00\\ud800", "organizationId": "solo"}',
        "unknown escape": b'{"messageId": "\\x41"}',
        "control character": b'{"messageId": "a\x01b"}',
        "line break in a string": b'{"messageId": "a\nb"}',
        "NUL behind": json.dumps(_ONE).encode() + b"\x00",
        "NULs alone": b"\x00" * 100,
        "white space alone": b" \n\t ",
        "leading zero": b'{"messageId": 01}',
        "plus": b'{"messageId": +1}',
        "hexadecimal": b'{"messageId": 0x1}',
        "point without digits": b'{"messageId": 1.}',
        "100,000 digits": b'{"messageId": ' + b"9" * 100_000 + b"}",
        "key named twice": b'{"messageId": "m1", "messageId": "m2", "organizationId": "solo"}',
        "key named twice by an escape": b'{"messageId": "m1", "\\u006dessageId": "m2"}',
        "key named twice inside": b'{"messageId": {"a": 1, "a": 2}, "organizationId": "solo"}',
        "key named twice in a list": b'{"messageId": [{"a": 1, "a": 2}], "organizationId": "solo"}',
        "key without value": b'{"messageId"}',
        "list not closed": b'{"messageId": [1, 2}',
        "10,000 lists": b"[" * 10_000 + b"]" * 10_000,
        "100,000 lists not closed": b"[" * 100_000,
        "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "2,000 lists in a field": b'{"messageId": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "YAML": b"messageId: !!python/object/apply:os.system ['id']",
        "pickle": b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94",
        "a form": b"messageId=m1&organizationId=solo",
    }
    for name, text in texts.items():
        yield post(f"no JSON: {name}", _PROCESS, text, expect=(413,) if len(text) > 65_536 else (400,))
    numbers = {"1e400": b'{"messageId": 1e400}', "twenty digits": b'{"messageId": 12345678901234567890}'}
    for name, text in numbers.items():
        yield post(f"number: {name}", _PROCESS, text, expect=(400, 422))
    for name, value in {
        "null": None,
        "true": True,
        "number": 1,
        "text": "x",
        "list": [],
        "list of one": [_ONE],
    }.items():
        yield post(f"whole body: {name}", _PROCESS, value)


def _wrong_types() -> Iterator[Case]:
    odd: dict[str, Any] = {
        "null": None,
        "number": 7,
        "zero": 0,
        "fraction": 0.5,
        "true": True,
        "list": ["m1"],
        "object": {"$gt": ""},
        "empty": "",
        "600 characters": "a" * 600,
        "a line break": "a\nb",
        "NUL": "a\x00b",
        "an emoji": "\U0001f600",
        "right to left": "\u202egpj",
        "not a character": "\uffff",
    }
    for field in ("messageId", "organizationId", "mailbox", "priority", "force"):
        for name, value in odd.items():
            is_allowed = (field, name) in {("mailbox", "null"), ("force", "true")}
            if not is_allowed:
                yield post(f"{field}: {name}", _PROCESS, {**_ONE, field: value}, expect=(404, 422))
    for name, text in {"spaces": "a b", "accents": "á", "tab": "a\tb"}.items():
        yield post(f"messageId: {name}", _PROCESS, {**_ONE, "messageId": text})
    for text in ("URGENT", "normal ", "0", "critical"):
        yield post(f"priority: {text!r}", _PROCESS, {**_ONE, "priority": text})
    for text in ("true", "yes", "1", "on"):
        yield post(f"force: {text!r}", _PROCESS, {**_ONE, "force": text})
    for text in (
        "x@evil.example",
        "info@solo.example@evil.example",
        "<info@solo.example>",
        "info@solo.example\r\nBcc: x",
    ):
        yield post(f"mailbox: {text!r}", _PROCESS, {**_ONE, "mailbox": text})
    lists: dict[str, Any] = {
        "none": [],
        "1,001": [f"m{number}" for number in range(1001)],
        "text": "m1",
        "object": {"0": "m1"},
        "null inside": ["m1", None],
        "number inside": ["m1", 2],
        "list inside": [["m1"]],
        "empty inside": ["m1", ""],
        "long inside": ["a" * 600],
    }
    for name, value in lists.items():
        yield post(f"messageIds: {name}", f"{_PROCESS}/bulk", {"messageIds": value, "organizationId": "solo"})


def _wrong_fields() -> Iterator[Case]:
    for field in (
        "userId",
        "__proto__",
        "constructor",
        "message_id",
        "MessageId",
        "messageid",
        "",
        "\u0000",
        "job_id",
    ):
        yield post(f"unknown field: {field!r}", _PROCESS, {**_ONE, field: "x"})
    for field in _ONE:
        yield post(f"missing field: {field}", _PROCESS, {name: "solo" for name in _ONE if name != field})
    yield post("no field", _PROCESS, {})
    yield post("5,000 fields", _PROCESS, {f"f{number}": number for number in range(5_000)}, expect=(400, 413))
    yield post("90 fields", _PROCESS, {f"f{number}": number for number in range(90)})
    yield post("110 fields", _PROCESS, {f"f{number}": number for number in range(110)}, expect=(400,))


def _too_much() -> Iterator[Case]:
    large = json.dumps({**_ONE, "mailbox": "a" * 1_100_000}).encode()
    yield post("1.1 MB", _PROCESS, large, expect=(413,))
    yield post("1.1 MB of notifications", "/listen", large, expect=(413,))
    chunks = b"".join(b"10000\r\n" + b"a" * 65536 + b"\r\n" for _ in range(20)) + b"0\r\n\r\n"
    for path in (_PROCESS, "/listen"):
        head = b"POST %s HTTP/1.1\r\n" % path.encode() + _HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        yield raw(f"1.3 MB in chunks to {path}", head, chunks, expect=(413,))
    almost = json.dumps({**_ONE, "mailbox": "a" * 1_000_000}).encode()
    yield post("almost 1 MB in a field", _PROCESS, almost, expect=(413,))
    ids = f"{_PROCESS}/bulk"
    yield post("100,000 ids", ids, {"messageIds": ["m"] * 100_000, "organizationId": "solo"}, expect=(400,))
    for name, value in {
        "empty lists": b"[]",
        "empty objects": b"{}",
        "numbers": b"1",
        "floats": b"1e5",
    }.items():
        text = b",".join([value] * (1_000_000 // (len(value) + 1)))
        yield post(f"1 MB of {name}", ids, b'{"messageIds": [%s]}' % text, expect=(400,))
        yield post(f"1 MB of {name}, from Graph", "/listen", b'{"value": [%s]}' % text, expect=(400,))
    escapes = b'{"messageIds": ["%s"], "organizationId": "solo"}' % (b"\\u0041" * 160_000)
    yield post("1 MB of escapes", ids, escapes)
    yield request("a body where none belongs", "GET", "/jobs/none", body=b"x" * 100_000, expect=(404,))
    yield request(
        "50 MB where none belongs",
        "GET",
        "/jobs/none",
        headers={"Content-Length": "50000000"},
        expect=(404, 413),
    )


def _codings_and_types() -> Iterator[Case]:
    body = json.dumps(_ONE).encode()
    bomb = gzip.compress(b"[" * 50_000_000)
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "br": body,
        "zstd": body,
        "compress": body,
        "gzip, gzip": gzip.compress(gzip.compress(body)),
        "x-gzip": gzip.compress(body),
        "unknown": body,
    }
    for coding, content in packed.items():
        headers = {"Content-Encoding": coding}
        yield post(f"coding: {coding}", _PROCESS, content, headers=headers, expect=(415,))
    for path in (_PROCESS, "/listen", f"{_PROCESS}/bulk"):
        headers = {"Content-Encoding": "gzip"}
        yield post(f"gzip bomb to {path}", path, bomb, headers=headers, expect=(415,))
    types = (
        "text/plain",
        "text/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
        "application/jsonx",
        "*/*",
        "x",
        "application/json, text/plain",
        ";",
        "a" * 5_000,
    )
    for media in types:
        yield post(f"type: {media[:40]}", _PROCESS, body, headers={"Content-Type": media}, expect=(415,))
    untyped = b"POST /emails/process HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + KEY
    yield raw("type: none", untyped + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body, expect=(415,))


def _other_routes() -> Iterator[Case]:
    crons = (
        "",
        " ",
        "* * * *",
        "* * * * * * *",
        "61 * * * *",
        "* 25 * * *",
        "@reboot",
        "*/0 * * * *",
        "*/-1 * * * *",
        "a b c d e",
        "0 0 31 2 *",
        "* * * * 9",
        "1-99999999 * * * *",
        "0 0 * * *; rm -rf /",
        "*" * 5_000,
    )
    for line in crons:
        path = "/cron/jobs/cleanup/schedule"
        yield post(f"cron line: {line[:30]!r}", path, {"schedule": line}, method="PUT", expect=_ANY)
    for zone in ("Mars/Olympus", "../../etc/passwd", "", "UTC+25", "Europe/Madrid\x00"):
        content = {"schedule": "0 3 * * *", "timezone": zone}
        yield post(f"timezone: {zone!r}", "/cron/jobs/cleanup/schedule", content, method="PUT", expect=_ANY)
    retries: dict[str, Any] = {
        "limit of -1": {"limit": -1},
        "limit of a million": {"limit": 1_000_000},
        "limit as text": {"limit": "1"},
        "dryRun as text": {"dryRun": "no"},
        "filter as a list": {"filter": []},
        "unknown filter": {"filter": {"x": 1}},
        "age of -1": {"filter": {"olderThanSeconds": -1}},
        "age without end": {"filter": {"olderThanSeconds": 1e308}},
        "actor as an object": {"filter": {"actor": {"$ne": ""}}},
    }
    for name, content in retries.items():
        yield post(f"retry: {name}", "/dead-letters/retry", content, expect=(400, 422))
    for mailbox in (
        "nobody@evil.example",
        "@",
        "a" * 500,
        "%00",
        "..%2f..%2f",
        "info@solo.example%0d%0aX: y",
    ):
        target = f"/mailboxes/{mailbox.replace(' ', '%20')}/sync"
        yield post(f"sync of {mailbox[:30]}", target, {}, expect=_ANY)
    yield post("pause of nobody", "/organizations/nobody/pause", {}, expect=(404,))
    yield post("pause of a rule that is none", "/organizations/solo/pause", {"rule": "none"}, expect=_ANY)
    sentiments: tuple[Any, ...] = ("angry", 1, None, ["positive"])
    for sentiment in sentiments:
        content = {"organizationId": "solo", "sentiment": sentiment}
        yield post(f"feedback: {sentiment!r}", "/emails/m1/feedback", content, expect=_ANY)
