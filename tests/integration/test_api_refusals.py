"""What nobody should send: each gets a clear answer in the envelope, and nothing is queued."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.headers import SECURITY_HEADERS
from tests.api_service import Api, serving, soon
from workers.metrics import REGISTRY

GOOD = {"messageId": "m1", "organizationId": "solo"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(redis_url, tmp_path) as api:
        yield api
        assert api.queued() == {}, "something refused was queued all the same"


async def process(api: Api, body: bytes | str, headers: dict[str, str] | None = None) -> Any:
    return await api.request("POST", "/emails/process", data=body, headers=headers or JSON)


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"nonsense", b'"', b"{'messageId': 'm1'}", b'{"messageId": "m1",}', b"\xff\xfe{}",
        b"\xef\xbb\xbf{}", b'{"messageId": NaN}', b'{"messageId": Infinity}', b'{"messageId": "\\ud800"}',
        b"[" * 5000, b'{"a":' * 3000 + b"1" + b"}" * 3000, b'{"messageId": ' + b"9" * 6000 + b"}",
        b"\x00", b'{"a": "\x01"}',
        b'{"messageId": "m1", "messageId": "m2", "organizationId": "solo"}', b'{"x": {"a": 1, "a": 2}}',
    ],
    ids=lambda body: str(body[:24]),
)  # fmt: skip
async def test_what_is_not_json_is_said_so(api: Api, body: bytes) -> None:
    reply = await process(api, body)
    assert (reply.status, reply.json["code"]) == (400, "invalid_json")


async def test_invalid_json_is_said_so_whatever_it_is_declared_as(api: Api) -> None:
    reply = await process(api, b"{", {"Content-Type": "text/plain"})
    assert (reply.status, reply.json["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_what_a_browser_may_send_across_sites_is_refused(api: Api, media: str) -> None:
    """JSON as such makes a browser ask first, the other types do not."""
    reply = await process(api, json.dumps(GOOD), {"Content-Type": media})
    assert (reply.status, reply.json["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"messageId": None}, "messageId"),
        ({"messageId": 7}, "messageId"),
        ({"messageId": ""}, "messageId"),
        ({"messageId": "m" * 513}, "messageId"),
        ({"messageId": "m 1"}, "messageId"),
        ({"messageId": "m\n1"}, "messageId"),
        ({"messageId": "m\u202e1"}, "messageId"),
        ({"messageId": ["m1"]}, "messageId"),
        ({"organizationId": 5}, "organizationId"),
        ({"organizationId": "o" * 65}, "organizationId"),
        ({"priority": "highest"}, "priority"),
        ({"priority": 1}, "priority"),
        ({"force": "yes"}, "force"),
        ({"force": 1}, "force"),
        ({"mailbox": {}}, "mailbox"),
        ({"mailbox": "m" * 300}, "mailbox"),
        ({"message_id": "m1"}, "message_id"),
        ({"surprise": 1}, "surprise"),
    ],
    ids=str,
)
async def test_a_field_that_does_not_fit_is_named(api: Api, change: dict[str, Any], field: str) -> None:
    reply = await api.post("/emails/process", {**GOOD, **change})
    assert (reply.status, reply.json["code"], reply.fields) == (422, "validation", [field])
    assert str(change) not in reply.json["error"]


@pytest.mark.parametrize("field", ["messageId", "organizationId"])
async def test_a_missing_field_is_named(api: Api, field: str) -> None:
    reply = await api.post("/emails/process", {name: GOOD[name] for name in GOOD if name != field})
    assert (reply.status, reply.fields) == (422, [field])


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "7", "true", "[{}]"])
async def test_json_that_is_no_object_is_refused(api: Api, body: str) -> None:
    assert (await process(api, body)).status == 422


@pytest.mark.parametrize(
    "path", ["/emails/process", "/emails/process/bulk", "/listen", "/dead-letters/retry"]
)
async def test_two_megabytes_are_too_large(api: Api, path: str) -> None:
    body = io.BytesIO(json.dumps({"messageId": "m" * 2_000_000}).encode())
    reply = await api.request("POST", path, data=body, headers=JSON)
    assert (reply.status, reply.json["code"]) == (413, "body_too_large")


async def test_two_megabytes_in_pieces_are_too_large(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 10_000

    reply = await api.request("POST", "/emails/process", data=pieces(), headers=JSON)
    assert reply.status == 413


async def test_a_gzip_bomb_is_not_unpacked(api: Api) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    reply = await process(api, bomb, {**JSON, "Content-Encoding": "gzip"})
    assert (reply.status, reply.json["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "path",
    ["/emails/m1?organizationId=solo&organizationId=acme", "/emails/m1?organizationId=solo&x=1",
     "/dead-letters?limit=0", "/dead-letters?limit=ten", "/dead-letters?cursor=1;2",
     "/dead-letters?limit=1e3", "/cron/jobs/cleanup/runs?limit=201",
     "/emails/" + "m" * 600 + "?organizationId=solo",
     "/emails/a%00b?organizationId=solo"],
)  # fmt: skip
async def test_odd_queries_and_ids_are_refused(api: Api, path: str) -> None:
    assert (await api.get(path)).status == 422


@pytest.mark.parametrize(
    "path", ["/", "/nope", "/emails", "/jobs/", "/..%2f..%2fetc/passwd", "/docs/..%2fapp.py"]
)
async def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    reply = await api.get(path)
    assert (reply.status, reply.json["code"]) == (404, "not_found")
    assert SECURITY_HEADERS.items() <= dict(reply.headers).items()
    assert "Server" not in reply.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/listen", "POST"), ("DELETE", "/health", "GET"), ("PATCH", "/dead-letters", "DELETE,GET"),
     ("OPTIONS", "/cron/jobs", "GET"), ("TRACE", "/docs", "GET")],
)  # fmt: skip
async def test_a_method_that_a_route_has_not_is_said_with_those_it_has(
    api: Api, method: str, path: str, allowed: str
) -> None:
    reply = await api.request(method, path)
    assert (reply.status, reply.headers["Allow"]) == (405, allowed)
    assert reply.json["code"] == "method_not_allowed"


async def test_every_refusal_can_be_found_in_the_logs(api: Api) -> None:
    reply = await api.get("/jobs/unknown", headers={"X-Correlation-ID": "find-me"})
    assert reply.json["correlationId"] == reply.headers["X-Correlation-ID"] == "find-me"
    odd = await api.get("/jobs/unknown", headers={"X-Correlation-ID": "a b<script>"})
    assert odd.json["correlationId"] not in ("", "a b<script>")


async def test_a_bug_shows_nothing_of_itself(api: Api) -> None:
    await api.store.redis.set(api.store.keys.job("broken"), "not a hash")
    reply = await api.get("/jobs/broken")
    assert (reply.status, reply.json["code"]) == (500, "internal")
    assert b"WRONGTYPE" not in reply.body


class TestWhoMayCall:
    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:3001", "169.254.169.254", "localhost.evil.example"]
    )
    async def test_not_who_calls_us_by_another_name(self, api: Api, host: str) -> None:
        reply = await api.get("/organizations", headers={"Host": host})
        assert (reply.status, reply.json["code"]) == (403, "forbidden_host")

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
    async def test_not_a_page_of_another_site(self, api: Api, origin: str) -> None:
        reply = await api.post("/cron/jobs/cleanup/run", headers={"Origin": origin})
        assert (reply.status, reply.json["code"]) == (403, "forbidden_origin")

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1:3001", "[::1]:3001", "LOCALHOST:9"])
    async def test_this_machine_by_any_of_its_names(self, api: Api, host: str) -> None:
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert (await api.get("/organizations", headers=headers)).status == 200

    async def test_graph_and_probes_by_any_name(self, api: Api) -> None:
        headers = {"Host": "hooks.acme.example"}
        assert (await api.post("/listen", {"value": []}, headers=headers)).status == 202
        assert (await api.get("/health/live", headers=headers)).status == 200
        assert (await api.get("/health/ready", headers=headers)).status == 200


class TestOnTheWire:
    """What no HTTP library would send."""

    async def talk(self, api: Api, sent: bytes, *, and_then: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(sent)
        if and_then:
            await writer.drain()
            writer.write(and_then)
        async with asyncio.timeout(10):
            received = await reader.read(65536)
        writer.close()
        return received

    @pytest.mark.parametrize(
        "sent",
        [
            b"nonsense\r\n\r\n",
            b"GET /health HTTP/9.9\r\n\r\n",
            b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
            b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /listen HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"POST /listen HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"POST /listen HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ],
        ids=lambda sent: str(sent[:40]),
    )
    async def test_malformed_requests_are_refused(self, api: Api, sent: bytes) -> None:
        answer = await self.talk(api, sent)
        assert answer.startswith(b"HTTP/1.0 400")
        assert b"malformed_request" in answer and b"aiohttp" not in answer

    async def test_malformed_chunks_are_refused(self, api: Api) -> None:
        head = b"POST /listen HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await self.talk(api, head, and_then=b"ZZZ\r\nabc\r\n")
        assert answer.startswith(b"HTTP/1.0 400")
        assert b"malformed_request" in answer and b"aiohttp" not in answer

    async def test_odd_bytes_in_a_path_are_no_bug(self, api: Api) -> None:
        answer = await self.talk(api, b"GET /jobs/\xff\xfe%ff HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.startswith(b"HTTP/1.0 400")

    async def test_an_unknown_expectation_is_refused(self, api: Api) -> None:
        answer = await self.talk(
            api, b"POST /listen HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 2\r\n\r\n{}"
        )
        assert answer.startswith(b"HTTP/1.1 417")

    async def test_a_caller_that_leaves_in_the_middle_harms_nobody(self, api: Api) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(b"POST /listen HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await api.get("/health/live")).status == 200


async def test_requests_are_counted_by_template_not_by_id(api: Api) -> None:
    def counted(route: str, status: str) -> float:
        labels = {"method": "GET", "route": route, "status_code": status}
        return REGISTRY.get_sample_value("econeura_http_requests_total", labels) or 0.0

    before = counted("/jobs/{jobId}", "404"), counted("unmatched", "404")
    for number in range(3):
        await api.get(f"/jobs/{number}")
        await api.get(f"/nothing/{number}")
    expected = before[0] + 3, before[1] + 3
    await soon(lambda: (counted("/jobs/{jobId}", "404"), counted("unmatched", "404")) == expected)
