"""Answers on their way out: those that are whole, as nearly all are, leave in one piece.

aiohttp prepares each as if it might yet become a stream, which costs as much as the rest of its work. Its
`on_response_prepare` is not told of what is sent here.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http_writer import _serialize_headers

# RFC 9110, section 8.6.
_WITHOUT_CONTENT = frozenset({204, 304})


def whole(response: web.StreamResponse) -> bytes | None:
    """The body of a response of which nothing is left to do but to send it; None for all others."""
    # Not isinstance(): responses are mappings to it, and asking all of those takes its time.
    if type(response) is not web.Response or response.prepared:
        return None
    # `cookies` would make some where there are none.
    if response.chunked or response.compression or response._cookies:
        return None
    body = response.body
    return b"" if body is None else body if isinstance(body, bytes) else None


def send_whole(request: web.BaseRequest, response: web.StreamResponse, body: bytes) -> bool:
    """Send it; tells whether the connection stays open.

    Raises ConnectionError where it is lost, ValueError for a header with a line break.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client has gone")
    headers, status, version = response.headers, response.status, request.version
    stays = request.keep_alive if response.keep_alive is None else response.keep_alive
    if status not in _WITHOUT_CONTENT:
        headers["Content-Length"] = str(len(body))
    headers["Date"] = _http_date(int(time.time()))
    if stays and version == HttpVersion10:
        headers["Connection"] = "keep-alive"
    elif not stays and version == HttpVersion11:
        headers["Connection"] = "close"
    head = _serialize_headers(f"HTTP/{version[0]}.{version[1]} {status} {response.reason}", headers)
    transport.write(head if status in _WITHOUT_CONTENT or request.method == "HEAD" else head + body)
    return stays


@lru_cache(maxsize=4)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
