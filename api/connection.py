"""One client's connection: its limits, and our answer to what is not HTTP."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.connections import Connections
from api.envelope import refuse
from api.headers import SECURITY_HEADERS
from api.patience import Patience
from api.refusals import Refusal, refusal_for
from api.sending import send_whole, whole
from workers import logs, metrics

_log = logs.get_logger("api")
_KEEP_ALIVE_S = 75.0
# Chunks of a byte each cost a hundred times as much as they carry: a body may be wrapped in so many times its
# own size, and what comes is looked at in slices, so that nobody is held up by more than one of them.
_WRAPPING = 4
_SLICE_BYTES = 16 * 1024
# A body that we refused unread is read on and thrown away for this long, so that the client sees the answer.
_LINGER_S = 2.0
_malformed = metrics.HTTP_REQUESTS.labels("OTHER", "malformed", "400")


# For the parser, in place of what it would take and we do not.
_NO_REQUEST = b"\0\r\n\r\n"


class Connection(web.RequestHandler):
    """aiohttp's server side of a connection.

    It looks at what aiohttp keeps to itself: `_next_keepalive_close_time` is set when a wait for a request
    begins, `_waiter` is there while it lasts, `_request_count` counts the requests whose head is whole,
    `_reading_paused` and `_buffer_paused` say that what the client sends is held back, `_paused` that the
    client does not read what we send, `_upgraded` that it asked for another protocol. By the `_keep_alive` of
    a response aiohttp knows whether the connection ends.
    """

    __slots__ = ("_of_body", "_open", "_partial_at", "_patience", "_spaces", "_unsent", "_unsent_at")

    def __init__(
        self,
        server: web.Server,
        loop: asyncio.AbstractEventLoop,
        connections: Connections,
        patience: Patience,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,
            keepalive_timeout=_KEEP_ALIVE_S,
            lingering_time=_LINGER_S,
        )
        self._open = connections
        self._patience = patience
        self._of_body = 0
        self._partial_at = 0.0
        self._spaces: int | None = 0
        self._unsent = 0
        self._unsent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._open.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._open.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if len(data) <= _SLICE_BYTES:
            self._take_in(data)
            return
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport is not None:
                self._take_in(data[start : start + _SLICE_BYTES])

    def resume_reading(self, resume_parser: bool = True) -> None:
        # aiohttp asks for it with each body that is read, and parses once more: in vain, if none was held.
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def _take_in(self, data: bytes) -> None:
        requests = self._request_count
        super().data_received(_NO_REQUEST if self._ends_an_odd_line(data) else data)
        if requests != self._request_count:
            self._of_body = 0
        elif self._current_request is not None:
            self._of_body += len(data)
            if (
                self._of_body > _SLICE_BYTES
                and self._of_body > _WRAPPING * self._current_request.content.total_bytes
            ):
                self.give_up()
        elif data and self._partial_at < self._wait_began:
            self._partial_at = self._loop.time()

    def _ends_an_odd_line(self, data: bytes) -> bool:
        """Whether the request line ends here and has other than two spaces (RFC 9112, section 3).

        The parser takes several for one; who stands before us may not. `_spaces` is None outside of a line.
        """
        if self.waits_since is not None and self._partial_at < self._wait_began:
            self._spaces = 0
        if self._spaces == 0:
            data = data.lstrip(b"\r\n")
        if self._spaces is None or not data:
            return False
        end = data.find(b"\n")
        self._spaces += data.count(b" ", 0, end if end >= 0 else len(data))
        is_odd = end >= 0 and self._spaces != 2
        if end >= 0:
            self._spaces = None
        return is_odd

    @property
    def waits_since(self) -> float | None:
        """Since when (loop time) it waits for the next request; None while one is in hand."""
        waiter = self._waiter
        return None if waiter is None or waiter.done() else self._wait_began

    def is_overdue(self, now: float) -> bool:
        """Whether its client has kept us waiting for too long: in the middle of headers, or of our answer."""
        if self.waits_since is not None:
            return self._partial_at >= self._wait_began and now - self._partial_at > self._patience.head_s
        unsent = self.transport.get_write_buffer_size() if self.transport is not None else 0
        if unsent != self._unsent:
            self._unsent, self._unsent_at = unsent, now
        return unsent > 0 and now - self._unsent_at > self._patience.unread_s

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
        return _last_word(refusal)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; aiohttp's own (to an unknown expectation) become ours."""
        body = whole(resp)
        if body is None and isinstance(resp, web.HTTPException):
            resp = _last_word(refusal_for(resp))
            body = whole(resp)
        # What follows a request for another protocol is for aiohttp to sort out.
        if self._upgraded or body is None:
            return await super().finish_response(request, resp, start_time)
        try:
            resp._keep_alive = send_whole(request, resp, body)
            if self._paused:
                await self._drain_helper()
        except ConnectionError:
            return resp, True
        return resp, False

    @property
    def _wait_began(self) -> float:
        return self._next_keepalive_close_time - _KEEP_ALIVE_S


def _last_word(refusal: Refusal) -> web.Response:
    """An answer to what our application never saw: like its others, but the connection ends with it."""
    response = refuse(refusal, logs.correlation_id())
    response.headers.update(SECURITY_HEADERS)
    response.force_close()
    return response
