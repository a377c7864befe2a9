"""Clients that hold a connection without getting on: each is given up, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from aiohttp import ClientSession

from api.patience import Patience
from tests.api_service import Api, serving, soon
from workers.metrics import REGISTRY

_LARGE = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
_MORE_THAN_KERNELS_HOLD = 100


def connected(api: Api) -> socket.socket:
    """A client that hardly takes anything."""
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.connect(("127.0.0.1", api.port))
    return wire


def cut_off() -> float:
    """How many connections were given up so far."""
    labels = {"type": "connection_too_slow", "component": "api", "severity": "warning"}
    return REGISTRY.get_sample_value("econeura_errors_total", labels) or 0.0


async def all_that_comes(wire: socket.socket) -> int:
    """How many bytes there are until the connection ends."""
    loop = asyncio.get_running_loop()
    wire.setblocking(False)
    size = 0
    with suppress(ConnectionError):
        while chunk := await loop.sock_recv(wire, 1 << 20):
            size += len(chunk)
    return size


async def test_who_reads_no_answer_is_given_up(redis_url: str, tmp_path: Path) -> None:
    before = cut_off()
    async with serving(redis_url, tmp_path, patience=Patience(unread_s=0.5)) as api:
        with connected(api) as wire:
            wire.sendall(_LARGE * _MORE_THAN_KERNELS_HOLD)
            one = len((await api.get("/openapi.json")).body)
            await soon(lambda: cut_off() > before)
            assert await all_that_comes(wire) < one * _MORE_THAN_KERNELS_HOLD


async def test_who_dribbles_headers_is_given_up(redis_url: str, tmp_path: Path) -> None:
    before = cut_off()
    async with serving(redis_url, tmp_path, patience=Patience(head_s=0.5)) as api:
        slow = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(5)]
        for _, writer in slow:
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        idle = await asyncio.open_connection("127.0.0.1", api.port)
        while cut_off() < before + len(slow):
            for _, writer in slow:
                if not writer.is_closing():
                    writer.write(b"a")
            assert (await api.get("/health/live")).status == 200
        # Ours, and one over which nothing came. Who is cut off leaves in the next turn of the event loop.
        await soon(lambda: api.listener.count_connections() == 2)
        assert not idle[0].at_eof()
        for _, writer in (*slow, idle):
            writer.close()


async def test_who_dribbles_a_body_is_told_so(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path, patience=Patience(body_s=0.5)) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(b"POST /listen HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 408") and b'"request_timeout"' in answer
        writer.close()


@pytest.mark.parametrize("path", ["/organizations", "/health/live"])
async def test_there_is_no_head_but_with_get(redis_url: str, tmp_path: Path, path: str) -> None:
    async with (
        serving(redis_url, tmp_path) as api,
        ClientSession() as client,
        client.head(api.url + path) as reply,
    ):
        assert (reply.status, reply.headers["Allow"], await reply.read()) == (405, "GET", b"")


async def test_who_does_not_shake_hands_is_given_up(redis_url: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with serving(
        redis_url,
        tmp_path,
        patience=Patience(handshake_s=0.5),
        tls_cert_file=tmp_path / "cert.pem",
        tls_key_file=tmp_path / "key.pem",
    ) as api:
        silent = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(20)]
        async with ClientSession() as client, client.get(f"{api.url}/health/live", ssl=trust) as reply:
            assert reply.status == 200
        async with asyncio.timeout(5):
            assert [await reader.read() for reader, _ in silent] == [b""] * 20
        for _, writer in silent:
            writer.close()


@pytest.mark.parametrize(
    "line",
    [
        b"GET /health/live HTTP/1.1",
        b"\r\nGET /health/live HTTP/1.1",
        b"GET http://localhost/health/live HTTP/1.1",
    ],
)
async def test_what_is_well_formed_is_taken_byte_by_byte(redis_url: str, tmp_path: Path, line: bytes) -> None:
    """Twice over one connection."""
    async with serving(redis_url, tmp_path) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        for _ in range(2):
            for byte in line + b"\r\nHost: localhost\r\n\r\n":
                writer.write(bytes([byte]))
                await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            length = next(part for part in head.split(b"\r\n") if part.startswith(b"Content-Length"))
            await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()


async def test_a_body_may_come_right_behind_its_head(redis_url: str, tmp_path: Path) -> None:
    """Before the request is in hand, and with spaces and line ends of its own."""
    body = b'{ "messageId" : "m1",\n "organizationId" : "solo" }\n'
    head = b"POST /emails/process HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n".encode()
    async with serving(redis_url, tmp_path) as api:
        for _ in range(20):
            wire = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", api.port))
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with wire:
                for _ in range(3):
                    wire.sendall(head)
                    wire.sendall(body)
                    answer = await asyncio.to_thread(wire.recv, 65536)
                    assert answer.startswith(b"HTTP/1.1 202"), answer
