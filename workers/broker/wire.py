"""A connection to Redis that its owner keeps: who calls all the time would pay more for the pool's care."""

from __future__ import annotations

import asyncio
from typing import Any

import hiredis
import redis
from redis.exceptions import InvalidResponse, NoScriptError

_CHUNK_BYTES = 64 * 1024
_INCOMPLETE = object()


class Wire:
    """Calls one after another over a connection out of `pool`, which closes it with all others.

    redis-py connects and greets. Calls then pass it by, over its streams (`_writer`, `_reader`): it would
    make a task and two timers for each. The time limit is that of the pool's connections. Belongs to one
    event loop.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._connection: Any = None
        self._replies = _new_replies()

    async def execute_command(self, *command: Any) -> Any:
        """As that of a client of redis-py, which then need not know that this is none.

        A connection that gives no answer, or refuses, is closed, and the next call makes another. Raises
        NoScriptError, ResponseError for all other refusals, InvalidResponse, ConnectionError (redis-py's, or
        Python's), TimeoutError (Python's).
        """
        connection = self._connection
        if connection is None or not connection.is_connected:
            connection = await self._connect()
        is_of_use = False
        try:
            # redis-py notices by its next read or write alone; uvloop raises RuntimeError for a write to it.
            if connection._writer.is_closing():
                raise _closed()
            async with asyncio.timeout(connection.socket_timeout):
                connection._writer.write(hiredis.pack_command(command))
                reply = await self._read(connection._reader)
            # Who refuses may be master no more: of a sentinel's pool, to connect is to ask who is.
            is_of_use = not isinstance(reply, redis.ResponseError) or isinstance(reply, NoScriptError)
        finally:
            if not is_of_use:
                await connection.disconnect(nowait=True)
        if isinstance(reply, redis.ResponseError):
            raise reply
        return reply

    async def _connect(self) -> Any:
        if self._connection is None:
            self._connection = await self._pool.get_connection()
        elif not self._connection.is_connected:
            await self._connection.connect()
        self._replies = _new_replies()
        return self._connection

    async def _read(self, stream: asyncio.StreamReader) -> Any:
        while (reply := self._replies.gets()) is _INCOMPLETE or isinstance(reply, hiredis.PushNotification):
            if reply is _INCOMPLETE:
                chunk = await stream.read(_CHUNK_BYTES)
                if not chunk:
                    raise _closed()
                self._replies.feed(chunk)
        return reply


def _new_replies() -> hiredis.Reader:
    return hiredis.Reader(protocolError=InvalidResponse, replyError=_refusal, notEnoughData=_INCOMPLETE)


def _closed() -> redis.ConnectionError:
    return redis.ConnectionError("connection closed by redis")


def _refusal(text: str) -> redis.ResponseError:
    return NoScriptError(text) if text.startswith("NOSCRIPT ") else redis.ResponseError(text)
