"""A server of our own that speaks OpenAI's chat completions, as well or as badly as a test asks of it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

Facts = dict[str, Any]
READING = {
    "category": "support",
    "urgency": "medium",
    "sentiment": "neutral",
    "confidence": 0.9,
    "reason": "Somebody asks for help.",
}
_START_S = 10.0


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    raw: str

    @property
    def instructions(self) -> str:
        return str(self.body["messages"][0]["content"])

    @property
    def data(self) -> Any:
        """What the user message holds: the mail, or mail and frame."""
        return json.loads(self.body["messages"][1]["content"])

    @property
    def structured(self) -> str:
        return str(self.body.get("response_format", {"type": "text"})["type"])


class LlmServer:
    """Answers by script first, then by `judge`, a function of the mail that it is shown."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: deque[Step] = deque()
        self.understands = {"json_schema", "json_object"}
        self.is_newest = False
        """Like OpenAI's newest models: knows max_completion_tokens alone and no temperature."""
        self.judge: Callable[[Facts], dict[str, Any]] = lambda _: dict(READING)
        self.writes = "Gracias por escribirnos. Hemos leído su mensaje con atención."
        self.tokens_told: Callable[[Received], int | None] = lambda received: len(received.raw) // 4
        self.in_flight = self.most_in_flight = 0
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()

    def then(self, *steps: Step) -> None:
        """How to answer the next requests."""
        self.script.extend(steps)

    def release(self) -> None:
        """End what hangs."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def released(self) -> None:
        await self._released.wait()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.text()
        received = Received(request.path_qs, dict(request.headers), json.loads(raw), raw)
        self.received.append(received)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            step = self.script.popleft() if self.script else self._by_itself
            return await step(self, request, received)
        finally:
            self.in_flight -= 1

    async def _by_itself(
        self, server: LlmServer, request: web.Request, received: Received
    ) -> web.StreamResponse:
        body = received.body
        if self.is_newest and (refused := {"max_tokens", "temperature"} & body.keys()):
            name = sorted(refused)[0]
            hint = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
            return _error(400, f"Unsupported parameter: '{name}' is not supported with this model.{hint}")
        if received.structured not in self.understands | {"text"}:
            return _error(400, f"response_format {received.structured} is not supported")
        data = received.data
        content = {"text": self.writes} if "frame" in data else self.judge(data)
        return self.completion(json.dumps(content), received)

    def completion(self, content: str, received: Received) -> web.Response:
        tokens = self.tokens_told(received)
        answer: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": received.body["model"],
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
            ],
        }
        if tokens is not None:
            answer["usage"] = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
        return web.json_response(answer)

    def run(self, started: threading.Event) -> None:
        self._loop.run_until_complete(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        self._stop = asyncio.Event()
        started.set()
        await self._stop.wait()
        self._released.set()
        await runner.cleanup()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)


Step = Callable[[LlmServer, web.Request, Received], Awaitable[web.StreamResponse]]


def says(content: str | dict[str, Any]) -> Step:
    """An answer with this text, or this JSON, whatever was asked."""
    text = content if isinstance(content, str) else json.dumps(content)

    async def step(server: LlmServer, request: web.Request, received: Received) -> web.StreamResponse:
        return server.completion(text, received)

    return step


def reads(**changes: Any) -> Step:
    """A reading of the mail with these fields changed."""
    return says({**READING, **changes})


def refuses(status: int, message: str = "no", *, code: str | None = None, **headers: str) -> Step:
    async def step(server: LlmServer, request: web.Request, received: Received) -> web.StreamResponse:
        return _error(
            status, message, code=code, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return step


def sends(body: bytes, **headers: str) -> Step:
    """These bytes as the body of a 200."""

    async def step(server: LlmServer, request: web.Request, received: Received) -> web.StreamResponse:
        return web.Response(body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return step


async def hangs(server: LlmServer, request: web.Request, received: Received) -> web.StreamResponse:
    """No answer until the server is released or the client leaves."""
    await server.released()
    return server.completion(json.dumps(READING), received)


async def cuts(server: LlmServer, request: web.Request, received: Received) -> web.StreamResponse:
    """Half an answer."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [{"mess')
    if request.transport is not None:
        request.transport.abort()
    return response


async def floods(server: LlmServer, request: web.Request, received: Received) -> web.StreamResponse:
    """An answer without an end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


def _error(
    status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    problem = {"message": message, "type": "invalid_request_error", "code": code, "param": None}
    return web.json_response({"error": problem}, status=status, headers=headers)


@contextmanager
def llm_server() -> Iterator[LlmServer]:
    """A running server."""
    server, started = LlmServer(), threading.Event()
    thread = threading.Thread(target=server.run, args=(started,), daemon=True)
    thread.start()
    assert started.wait(_START_S)
    try:
        yield server
    finally:
        server.stop()
        thread.join(_START_S)
