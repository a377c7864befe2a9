"""Calls of web pages from other origins (Fetch standard, "CORS protocol"): refused, unless theirs is listed.

A page sends its key itself: cookies and the like (credentials) are never allowed.
"""

from __future__ import annotations

from aiohttp import web

from workers.settings import Settings

_MAY_SEND = "Authorization, Content-Type, Idempotency-Key, Prefer, X-Correlation-ID, traceparent"
_MAY_READ = (
    "Idempotency-Replayed, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, "
    "X-Correlation-ID"
)
# Browsers ask again after this long.
_GOOD_FOR_S = "600"


class Cors:
    """The origins (scheme, host, port) whose pages may call us."""

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(settings.cors_origins)

    @classmethod
    def configured(cls, settings: Settings) -> Cors | None:
        """None where no origin is listed: then nothing is said of it at all."""
        return cls(settings) if settings.cors_origins else None

    def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to a browser that asks before a page's call; None where it is none, or not listed."""
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        refused = request.match_info.http_exception
        if request.headers.get("Origin") not in self._origins or not isinstance(
            refused, web.HTTPMethodNotAllowed
        ):
            return None
        headers = {
            "Access-Control-Allow-Methods": ", ".join(sorted(refused.allowed_methods)),
            "Access-Control-Allow-Headers": _MAY_SEND,
            "Access-Control-Max-Age": _GOOD_FOR_S,
        }
        return web.Response(status=204, headers=headers)

    def add_to(self, response: web.StreamResponse, request: web.Request) -> None:
        """Say whose pages may read the answer."""
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _MAY_READ


CORS: web.AppKey[Cors | None] = web.AppKey("cors")
