"""Who may call: who has the key; while there is none, programs of this machine alone."""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from api.refusals import Refusal
from api.routes import Handler, Route
from workers.errors import SettingsError
from workers.settings import Settings

_SHORTEST_KEY = 32


class Access:
    """The guard of all routes, by the key in ECONEURA_BOOTSTRAP_KEY_FILE or by the address we listen on."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError where the key is no key, or HOST would open the API to anybody."""
        self._key_digest = _digest_of_key(settings)
        if self._key_digest is None and not _is_loopback(settings.host):
            raise SettingsError(
                f"HOST: {settings.host} can be reached from other machines and no API key protects the "
                "service; set ECONEURA_BOOTSTRAP_KEY_FILE to a file with a key, or use 127.0.0.1"
            )

    def guarded(self, route: Route) -> Handler:
        """The route's handler, for callers that may use it; others are refused with 401 or 403."""
        if route.needs == "nothing":
            return route.handler
        inner, require = route.handler, self._require

        async def handle(request: web.Request) -> web.StreamResponse:
            require(request)
            return await inner(request)

        return handle

    def _require(self, request: web.Request) -> None:
        if self._key_digest is None:
            _require_this_machine(request)
        else:
            _require_key(request, self._key_digest)


def _digest_of_key(settings: Settings) -> bytes | None:
    path = settings.bootstrap_key_file
    if path is None:
        return None
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as unreadable:
        raise SettingsError(f"ECONEURA_BOOTSTRAP_KEY_FILE: cannot read {path}: {unreadable}") from None
    if len(key) < _SHORTEST_KEY:
        raise SettingsError(
            f"ECONEURA_BOOTSTRAP_KEY_FILE: the key in {path} can be guessed; "
            f"it needs {_SHORTEST_KEY} characters, such as those of 'openssl rand -hex 32'"
        )
    return sha256(key.encode()).digest()


def _require_key(request: web.Request, key_digest: bytes) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # Digests have one length, so that the comparison takes the same time whatever was given.
    is_ours = hmac.compare_digest(sha256(given.strip().encode(errors="surrogateescape")).digest(), key_digest)
    if scheme.lower() != "bearer" or not is_ours:
        raise Refusal(
            401,
            "unauthorized",
            "send the API key as Authorization: Bearer KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )


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
