"""The headers that all answers carry: what browsers may do with them, and how the caller stands."""

from __future__ import annotations

from aiohttp import web
from multidict import CIMultiDict

from api.origins import Origins
from api.rates import SPENDING

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# A year, as browsers ask for (RFC 6797); hosts below ours are not ours to speak for.
_HSTS = "max-age=31536000"


class Headers:
    """Adds to an answer what its handler did not set."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._always = CIMultiDict(SECURITY_HEADERS)

    def add_to(self, response: web.StreamResponse, request: web.Request) -> None:
        headers = response.headers
        if "Content-Security-Policy" in headers:
            headers.update({name: value for name, value in self._always.items() if name not in headers})
        else:
            headers.update(self._always)
        if self._origins.is_secure(request):
            headers["Strict-Transport-Security"] = _HSTS
        spending = request[SPENDING]
        if spending is not None and "RateLimit" not in headers:
            headers["RateLimit-Policy"] = spending.policy
            headers["RateLimit"] = spending.text()


async def leave_unsigned(_request: web.Request, response: web.StreamResponse) -> None:
    """aiohttp names itself and its version in what it sends (all but whole answers, see sending.py)."""
    response.headers.pop("Server", None)


HEADERS: web.AppKey[Headers] = web.AppKey("headers", Headers)
