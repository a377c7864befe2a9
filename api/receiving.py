"""Bodies on their way in: within a size, a time, and the memory that all of them together may hold."""

from __future__ import annotations

import asyncio

from aiohttp import HttpVersion11, web

from api.patience import PATIENCE
from api.refusals import Refusal, unavailable

BODY_LIMIT_BYTES = 1024 * 1024
"""Of any body: notifications, many ids."""
FORM_LIMIT_BYTES = 64 * 1024
"""Of a body that says one thing."""
# So much of each body is free: the number of requests is bounded, and small ones must pass beside large ones.
_SMALL_BYTES = 64 * 1024
_LARGE_TOGETHER_BYTES = 64 * 1024 * 1024
_CLOSE = {"Connection": "close"}
_BODY: web.RequestKey[bytes] = web.RequestKey("body", bytes)


class Room:
    """What large bodies may hold together, each until its request is answered."""

    def __init__(self, limit_bytes: int = _LARGE_TOGETHER_BYTES) -> None:
        self._free_bytes = limit_bytes

    def take(self, size: int) -> None:
        """Refuses (503) what there is no room for."""
        if size > self._free_bytes:
            raise unavailable("busy", "too many large requests are in hand: try again")
        self._free_bytes -= size
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(lambda _: self._give_back(size))

    def _give_back(self, size: int) -> None:
        self._free_bytes += size


ROOM: web.AppKey[Room] = web.AppKey("room", Room)


async def read_body(request: web.Request, most_bytes: int = BODY_LIMIT_BYTES) -> bytes:
    """The body, once; refused if too large (413), compressed (415), too slow (408), too much now (503)."""
    content = request.content
    if content.is_eof() and not content.at_eof():
        # All of it came with the headers, as most do.
        _require_plain(request)
        raw = content.read_nowait()
        return _fitting(raw, most_bytes)
    if (request.content_length or 0) > most_bytes:
        raise _too_large(most_bytes)
    return _fitting(await keep_body(request), most_bytes)


async def keep_body(request: web.Request) -> bytes:
    """The same, for a body that will be read again."""
    kept = request.get(_BODY)
    if kept is None:
        _require_plain(request)
        if (request.content_length or 0) > BODY_LIMIT_BYTES:
            raise _too_large(BODY_LIMIT_BYTES)
        request[_BODY] = kept = await _received(request)
    return kept


async def _received(request: web.Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(request.app[PATIENCE].body_s):
            while chunk := await request.content.readany():
                if len(body) + len(chunk) > BODY_LIMIT_BYTES:
                    raise _too_large(BODY_LIMIT_BYTES)
                if len(body) + len(chunk) > _SMALL_BYTES:
                    request.app[ROOM].take(len(chunk))
                body += chunk
    except TimeoutError:
        raise Refusal(408, "request_timeout", "the body did not arrive in time", headers=_CLOSE) from None
    return bytes(body)


def _require_plain(request: web.Request) -> None:
    headers = request.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refusal(415, "unsupported_media_type", "compressed request bodies are not accepted")
    coding = headers.get("Transfer-Encoding")
    if coding is None:
        return
    # aiohttp undoes the last coding alone, and in HTTP/1.0, too: who stands before us might see another body
    # than we do, and in what follows it another request (RFC 9112, section 6.1).
    if coding.strip().lower() != "chunked" or request.version < HttpVersion11:
        text = "no transfer coding but chunked is accepted, and that since HTTP/1.1"
        raise Refusal(400, "malformed_request", text, headers=_CLOSE)


def _fitting(raw: bytes, most_bytes: int) -> bytes:
    if len(raw) > most_bytes:
        raise _too_large(most_bytes)
    return raw


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(413, "body_too_large", f"the body is over {most_bytes} bytes", headers=_CLOSE)
