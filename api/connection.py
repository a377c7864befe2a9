"""One client's connection: its limits, and our answer to what is not HTTP."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.connections import Connections
from api.envelope import refuse
from api.refusals import Refusal
from workers import logs, metrics

_log = logs.get_logger("api")
_KEEP_ALIVE_S = 75.0
# From the first byte of a request to the end of its headers; who dribbles them holds a connection.
_HEAD_S = 10.0
# Who does not read our answer is given up once nothing of it went out for this long.
_UNREAD_S = 30.0
# A body that we refused unread is read on and thrown away for this long, so that the client sees the answer.
_LINGER_S = 2.0
_malformed = metrics.HTTP_REQUESTS.labels("OTHER", "malformed", "400")


class Connection(web.RequestHandler):
    """aiohttp's server side of a connection.

    It looks at what aiohttp keeps to itself: `_next_keepalive_close_time` is set when a wait for a request
    begins, `_waiter` is there while it lasts, `_request_count` counts the requests whose head is whole.
    """

    __slots__ = ("_open", "_partial_at", "_unsent", "_unsent_at")

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop, connections: Connections) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,
            keepalive_timeout=_KEEP_ALIVE_S,
            lingering_time=_LINGER_S,
        )
        self._open = connections
        self._partial_at = 0.0
        self._unsent = 0
        self._unsent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._open.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._open.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        requests = self._request_count
        super().data_received(data)
        if data and requests == self._request_count and self._partial_at < self._wait_began:
            self._partial_at = self._loop.time()

    @property
    def waits_since(self) -> float | None:
        """Since when (loop time) it waits for the next request; None while one is in hand."""
        waiter = self._waiter
        return None if waiter is None or waiter.done() else self._wait_began

    def is_overdue(self, now: float) -> bool:
        """Whether its client has kept us waiting for too long: in the middle of headers, or of our answer."""
        if self.waits_since is not None:
            return self._partial_at >= self._wait_began and now - self._partial_at > _HEAD_S
        unsent = self.transport.get_write_buffer_size() if self.transport is not None else 0
        if unsent != self._unsent:
            self._unsent, self._unsent_at = unsent, now
        return unsent > 0 and now - self._unsent_at > _UNREAD_S

    def give_up(self) -> None:
        """Close it at once, whatever is under way."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never became a request; aiohttp's own answer repeats it and logs a traceback."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        if status == 400:
            _malformed.inc()
            refusal = Refusal(400, "malformed_request", "this is not a well-formed HTTP request")
        else:
            _log.error("connection_crashed", exc_info=exc)
            refusal = Refusal(500, "internal", "internal error")
        response = refuse(refusal, logs.correlation_id())
        response.headers["Server"] = "econeura"
        response.force_close()
        return response

    @property
    def _wait_began(self) -> float:
        return self._next_keepalive_close_time - _KEEP_ALIVE_S
