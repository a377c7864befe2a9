"""A TCP proxy in front of Redis that cuts, refuses, stalls and loses what it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from types import TracebackType
from typing import Literal, Self

from workers.broker import scripts

Moment = Literal["inside the command", "before the reply"]
_NAMES = {
    value.sha.encode(): value.name for value in vars(scripts).values() if isinstance(value, scripts.Script)
}


class FaultProxy:
    """Forwards to a port of this machine. Commands are named `enqueue`, `exchange`, `blpop`, ..."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.commands: Counter[str] = Counter()
        self.faults_played = 0
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._armed: dict[tuple[str, Moment], int] = {}
        self._refusing = False
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def arm(self, command: str, moment: Moment, *, times: int = 1) -> None:
        """Cut the connection at that moment of the next `times` such commands."""
        self._armed[command, moment] = times

    @property
    def is_armed(self) -> bool:
        return any(self._armed.values())

    def disarm(self) -> None:
        self._armed.clear()

    def go_away(self) -> None:
        """Cut all connections and take no new ones."""
        self._refusing = True
        self.cut()

    def come_back(self) -> None:
        self._refusing = False

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in list(self._connections):
            writer.transport.abort()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._cut()
        # Let the connections see that they were cut.
        await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._connections |= {writer, up_writer}
        losing = asyncio.Event()
        back = asyncio.create_task(self._replies(up_reader, writer, losing))
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._requests(reader, up_writer, losing)
        back.cancel()
        self._connections -= {writer, up_writer}
        writer.transport.abort()
        up_writer.transport.abort()

    async def _requests(
        self, reader: asyncio.StreamReader, up: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        while True:
            raw, name = await _command(reader)
            self.commands[name] += 1
            if self._fires(name, "inside the command"):
                up.write(raw[: len(raw) // 2])
                await up.drain()
                return
            if self._fires(name, "before the reply"):
                losing.set()
            up.write(raw)
            await up.drain()

    async def _replies(
        self, up: asyncio.StreamReader, writer: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await up.read(65536):
                if losing.is_set():
                    # Redis has answered, so the command was applied.
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    def _fires(self, name: str, moment: Moment) -> bool:
        left = self._armed.get((name, moment), 0)
        if left:
            self._armed[name, moment] = left - 1
            self.faults_played += 1
        return left > 0


async def _command(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """One command as Redis clients send it (RESP: an array of bulk strings), and its name."""
    head = await reader.readuntil(b"\r\n")
    raw = [head]
    parts: list[bytes] = []
    for _ in range(int(head[1:])):
        size = await reader.readuntil(b"\r\n")
        value = await reader.readexactly(int(size[1:]) + 2)
        raw += [size, value]
        if len(parts) < 2:
            parts.append(value[:-2])
    name = parts[0].decode().lower()
    if name == "evalsha":
        name = _NAMES.get(parts[1], name)
    return b"".join(raw), name
