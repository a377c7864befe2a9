"""Who may call. Until keys exist, only programs of this machine: anybody who reaches us may do anything."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from api.refusals import Refusal
from api.routes import Handler, Route
from workers.errors import SettingsError
from workers.settings import Settings


def require_safe_address(settings: Settings) -> None:
    """Raise SettingsError where HOST would open the whole API to other machines."""
    if not _is_loopback(settings.host):
        raise SettingsError(
            f"HOST: {settings.host} can be reached from other machines and no API key protects the service; "
            "use 127.0.0.1"
        )


def guarded(route: Route) -> Handler:
    """The route's handler, for callers that may use it; others are refused with 403."""
    if route.needs == "nothing":
        return route.handler
    inner = route.handler

    async def handle(request: web.Request) -> web.StreamResponse:
        _require_this_machine(request)
        return await inner(request)

    return handle


def _require_this_machine(request: web.Request) -> None:
    """Refuse what a web page in a browser of this machine sends us, and what a proxy or tunnel lets in.

    A foreign name in Host is DNS rebinding or a tunnel, a foreign Origin is a page of another site.
    """
    headers = request.headers
    host = headers.get("Host")
    if host is not None and not _names_this_machine(f"//{host}"):
        raise Refusal(
            403, "forbidden_host", "without API keys the service answers only as localhost or 127.0.0.1"
        )
    origin = headers.get("Origin")
    if origin is not None and not _names_this_machine(origin):
        raise Refusal(403, "forbidden_origin", "pages of other sites may not call the service")


@lru_cache(maxsize=256)
def _names_this_machine(url: str) -> bool:
    try:
        return _is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
