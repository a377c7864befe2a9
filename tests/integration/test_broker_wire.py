"""The kept connection: when it goes on, and when another takes its place."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import hiredis
import pytest
import redis.asyncio
import uvloop
from redis.exceptions import NoScriptError

from tests.api_service import soon
from workers.broker.scripts import AWAY
from workers.broker.wire import Wire

RESET = b"reset"
"""Behind an answer: the connection is reset."""


@asynccontextmanager
async def server(*answers: bytes) -> AsyncIterator[redis.asyncio.ConnectionPool]:
    """Connections to a server that gives these answers to what is no greeting."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands = hiredis.Reader()
        while chunk := await reader.read(65536):
            commands.feed(chunk)
            while command := commands.gets():
                answer = b"+OK\r\n" if command[0] == b"CLIENT" else left.pop(0)
                writer.write(answer.removesuffix(RESET))
                if answer.endswith(RESET):
                    await writer.drain()
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    writer.transport.abort()
                    return
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    url = f"redis://127.0.0.1:{port}?protocol=2"
    async with listener, redis.asyncio.Redis.from_url(url, socket_timeout=5) as client:
        yield client.connection_pool


@pytest.fixture
async def wire(redis_url: str) -> AsyncIterator[Wire]:
    async with redis.asyncio.Redis.from_url(redis_url, socket_timeout=0.5) as client:
        yield Wire(client.connection_pool)


async def number_of(wire: Wire) -> int:
    """Redis numbers its connections."""
    number = await wire.execute_command("CLIENT", "ID")
    assert isinstance(number, int)
    return number


async def test_calls_follow_each_other_over_one_connection(wire: Wire) -> None:
    first = await number_of(wire)
    large = b"x" * 1_000_000
    assert await wire.execute_command("SET", "{test}:large", large) in (b"OK", "OK")
    assert await wire.execute_command("GET", "{test}:large") == large
    assert await number_of(wire) == first


async def test_an_unknown_script_is_no_fault_of_the_connection(wire: Wire) -> None:
    first = await number_of(wire)
    with pytest.raises(NoScriptError):
        await wire.execute_command("EVALSHA", "0" * 40, 0)
    assert await number_of(wire) == first


async def test_who_refuses_is_asked_no_more(wire: Wire) -> None:
    first = await number_of(wire)
    with pytest.raises(redis.ResponseError, match="READONLY"):
        await wire.execute_command("EVAL", "return redis.error_reply('READONLY of a replica')", 0)
    assert await number_of(wire) != first


async def test_a_closed_connection_is_an_error_once(wire: Wire, redis_client: redis.Redis) -> None:
    redis_client.client_kill_filter(_id=str(await number_of(wire)))
    with pytest.raises(redis.ConnectionError):
        await number_of(wire)
    assert await number_of(wire)


async def test_silence_ends_in_time_and_no_late_reply_answers_another_call(
    wire: Wire, redis_client: redis.Redis
) -> None:
    first = await number_of(wire)
    redis_client.client_pause(60_000, all=False)
    try:
        with pytest.raises(TimeoutError):
            await wire.execute_command("INCR", "{test}:late")
    finally:
        redis_client.client_unpause()
    assert await wire.execute_command("ECHO", "mine") == b"mine"
    assert await number_of(wire) != first


async def test_an_answer_behind_news_is_seen_at_once() -> None:
    """RESP3: a server may push what nobody asked for, in one piece with a reply."""
    news = b">2\r\n+invalidate\r\n*0\r\n"
    async with server(news + b":1\r\n", news + news + b":2\r\n") as pool:
        wire = Wire(pool)
        assert await wire.execute_command("INCR", "n") == 1
        assert await wire.execute_command("INCR", "n") == 2


def test_a_reset_that_nobody_noticed_is_an_error_that_waiting_mends() -> None:
    async def lose_it() -> None:
        async with server(b":1\r\n" + RESET, b":2\r\n") as pool:
            connection: Any = await pool.get_connection()  # type: ignore[no-untyped-call]
            await pool.release(connection)
            wire = Wire(pool)
            assert await wire.execute_command("INCR", "n") == 1
            await soon(connection._writer.is_closing)
            with pytest.raises(AWAY):
                await wire.execute_command("INCR", "n")
            assert await wire.execute_command("INCR", "n") == 2

    # As in the api: asyncio's own loop takes what is written to nobody.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(lose_it())
