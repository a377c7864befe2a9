"""A webhook on loopback for tests: answers the handshake and keeps what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Answer = Callable[[int], int]


class Webhook:
    """Counts handshakes and posts; `answer` gives the status for the nth post."""

    def __init__(self) -> None:
        self.url = ""
        self.handshakes: list[str] = []
        self.posts: list[dict[str, Any]] = []
        self.answer: Answer = lambda number: 202
        self.echo: Callable[[str], web.Response] = lambda token: web.Response(text=token)
        self._arrived = asyncio.Condition()

    @property
    def items(self) -> list[dict[str, Any]]:
        return [item for post in self.posts for item in post["value"]]

    async def wait_for(self, fact: Callable[[Webhook], bool], *, timeout_s: float = 10.0) -> None:
        """Wait until something is true of what arrived; TimeoutError."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: fact(self))

    async def handle(self, request: web.Request) -> web.Response:
        if token := request.query.get("validationToken"):
            self.handshakes.append(request.rel_url.raw_query_string)
            return self.echo(token)
        body = await request.json()
        async with self._arrived:
            self.posts.append(body)
            status = self.answer(len(self.posts))
            self._arrived.notify_all()
        return web.Response(status=status)


@asynccontextmanager
async def listening() -> AsyncIterator[Webhook]:
    """A webhook for the length of a block."""
    webhook = Webhook()
    app = web.Application()
    app.router.add_post("/listen", webhook.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    webhook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/listen"
    try:
        yield webhook
    finally:
        await runner.cleanup()
