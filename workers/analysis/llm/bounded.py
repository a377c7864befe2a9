"""An HTTP transport that reads no answer beyond a size, whatever the server sends. Needs the extra llm."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

from workers.errors import NoAnswer

MAX_ANSWER_BYTES = 256 * 1024


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Refuses answers that are too large or packed: a small packed one may become a large one."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = await super().handle_async_request(request)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            await response.aclose()
            raise NoAnswer("the answer came packed, unasked", code="too_large")
        if not isinstance(response.stream, httpx2.AsyncByteStream):
            raise NoAnswer("the answer cannot be read", code="cut")
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(response.stream),
            extensions=response.extensions,
        )


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_ANSWER_BYTES
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise NoAnswer(f"the answer is larger than {MAX_ANSWER_BYTES} bytes", code="too_large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
