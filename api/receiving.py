"""Bodies on their way in: within a size, a time, and the memory that all of them together may hold."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.refusals import Refusal, unavailable

BODY_LIMIT_BYTES = 1024 * 1024
# A body comes right behind its headers; who dribbles it holds a connection and memory.
_BODY_TIMEOUT_S = 15.0
# So much of each body is free: the number of requests is bounded, and small ones must pass beside large ones.
_SMALL_BYTES = 64 * 1024
_LARGE_TOGETHER_BYTES = 64 * 1024 * 1024
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


async def read_body(request: web.Request) -> bytes:
    """The body, once; refused if over 1 MB (413), compressed (415), too slow (408), too much now (503)."""
    content = request.content
    if content.is_eof() and not content.at_eof():
        # All of it came with the headers, as most do.
        _require_plain(request)
        raw = content.read_nowait()
        if len(raw) > BODY_LIMIT_BYTES:
            raise _too_large()
        return raw
    return await keep_body(request)


async def keep_body(request: web.Request) -> bytes:
    """The same, for a body that will be read again."""
    kept = request.get(_BODY)
    if kept is None:
        _require_plain(request)
        if (request.content_length or 0) > BODY_LIMIT_BYTES:
            raise _too_large()
        request[_BODY] = kept = await _received(request)
    return kept


async def _received(request: web.Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            while chunk := await request.content.readany():
                if len(body) + len(chunk) > BODY_LIMIT_BYTES:
                    raise _too_large()
                if len(body) + len(chunk) > _SMALL_BYTES:
                    request.app[ROOM].take(len(chunk))
                body += chunk
    except TimeoutError:
        raise Refusal(408, "request_timeout", "the body did not arrive in time") from None
    return bytes(body)


def _require_plain(request: web.Request) -> None:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refusal(415, "unsupported_media_type", "compressed request bodies are not accepted")


def _too_large() -> Refusal:
    return Refusal(413, "body_too_large", f"the body is over {BODY_LIMIT_BYTES} bytes")
