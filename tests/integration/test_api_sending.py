"""Answers as they stand on the wire (RFC 9110, RFC 9112), whatever the client's protocol and method."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from api.patience import Patience
from tests.api_service import Api, serving, soon
from workers.metrics import REGISTRY

_LIVE = "/health/live HTTP/1.1\r\nHost: localhost\r\n"
_DESK = "https://desk.acme.example"


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(redis_url, tmp_path, cors_origins=_DESK) as api:
        yield api


async def first_answer(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *lines = head.strip().split("\r\n")
    return status, dict(line.split(": ", 1) for line in lines)


async def talk(api: Api, *requests: str) -> tuple[str, dict[str, str], bytes]:
    """The first answer, and all that follows its head until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write("".join(f"{request}\r\n" for request in requests).encode())
    status, headers = await first_answer(reader)
    async with asyncio.timeout(10):
        rest = await reader.read()
    writer.close()
    return status, headers, rest


async def test_an_answer_says_how_long_it_is_and_when_it_was_made(api: Api) -> None:
    status, headers, body = await talk(api, f"GET {_LIVE}Connection: close\r\n")
    assert status == "HTTP/1.1 200 OK"
    assert headers["Content-Length"] == str(len(body))
    assert abs(parsedate_to_datetime(headers["Date"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert headers["Connection"] == "close"
    assert "Server" not in headers


async def test_a_connection_is_kept_for_the_next_request(api: Api) -> None:
    _, headers, rest = await talk(api, f"GET {_LIVE}", f"GET {_LIVE}Connection: close\r\n")
    assert "Connection" not in headers
    assert rest.count(b"HTTP/1.1 200 OK\r\n") == 1


async def test_the_head_of_an_answer_comes_without_its_body(api: Api) -> None:
    _, with_body, body = await talk(
        api, "POST /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    )
    status, headers, rest = await talk(api, f"HEAD {_LIVE}", f"GET {_LIVE}Connection: close\r\n")
    assert status == "HTTP/1.1 405 Method Not Allowed"
    assert int(headers["Content-Length"]) == int(with_body["Content-Length"]) == len(body)
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n"), "the next answer follows the head at once"


async def test_no_content_has_no_length(api: Api) -> None:
    asked_first = (
        f"OPTIONS /dead-letters HTTP/1.1\r\nHost: localhost\r\nOrigin: {_DESK}\r\n"
        "Access-Control-Request-Method: DELETE\r\n"
    )
    status, headers, rest = await talk(api, asked_first, f"GET {_LIVE}Connection: close\r\n")
    assert status == "HTTP/1.1 204 No Content"
    assert "Content-Length" not in headers
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_older_clients_are_let_go_at_once(api: Api) -> None:
    status, headers, rest = await talk(api, "GET /health/live HTTP/1.0\r\nHost: localhost\r\n")
    assert status == "HTTP/1.0 200 OK"
    assert "Connection" not in headers
    assert len(rest) == int(headers["Content-Length"])


async def test_older_clients_may_ask_to_stay(api: Api) -> None:
    old = "GET /health/live HTTP/1.0\r\nHost: localhost\r\n"
    status, headers, rest = await talk(api, f"{old}Connection: keep-alive\r\n", old)
    assert status == "HTTP/1.0 200 OK"
    assert headers["Connection"] == "keep-alive"
    assert rest.count(b"HTTP/1.0 200 OK\r\n") == 1


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
async def test_who_asks_for_another_protocol_is_answered_in_ours(api: Api, protocol: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    asked = f"Connection: Upgrade\r\nUpgrade: {protocol}\r\n"
    for request in (f"GET {_LIVE}{asked}\r\n", f"GET {_LIVE}\r\n"):
        writer.write(request.encode())
        status, headers = await first_answer(reader)
        assert status == "HTTP/1.1 200 OK"
        assert "Server" not in headers
        async with asyncio.timeout(10):
            await reader.readexactly(int(headers["Content-Length"]))
    writer.close()


async def test_who_reads_no_answers_gets_no_more(redis_url: str, tmp_path: Path) -> None:
    large, many = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n", 300
    labels = {"method": "GET", "route": "/openapi.json", "status_code": "200"}

    def answered() -> float:
        return REGISTRY.get_sample_value("econeura_http_requests_total", labels) or 0.0

    async with serving(redis_url, tmp_path, patience=Patience(unread_s=1.0)) as api:
        before = answered()
        with socket.socket() as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.connect(("127.0.0.1", api.port))
            wire.sendall(large * many)
            await soon(lambda: api.listener.count_connections() == 1)
            await soon(lambda: api.listener.count_connections() == 0)
        # By now the metrics have heard of all: it was given up after longer than they wait.
        assert 0 < answered() - before < many / 2
