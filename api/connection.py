"""One client's connection: its limits, and our answer to what is not HTTP."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.envelope import refuse
from api.refusals import Refusal
from workers import logs, metrics

_log = logs.get_logger("api")
_KEEP_ALIVE_S = 75.0
# A body that we refused unread is read on and thrown away for this long, so that the client sees the answer.
_LINGER_S = 2.0
_malformed = metrics.HTTP_REQUESTS.labels("OTHER", "malformed", "400")


class Connection(web.RequestHandler):
    """aiohttp's server side of a connection."""

    __slots__ = ()

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,
            keepalive_timeout=_KEEP_ALIVE_S,
            lingering_time=_LINGER_S,
        )

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
