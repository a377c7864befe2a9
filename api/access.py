"""Who may call: who has a key or a token that is good for it; without any, programs of this machine alone."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from api.caller import ANYBODY, CALLER, Caller
from api.keyring import Keyring
from api.rates import LIMITS, SPENDING
from api.refusals import Refusal, unavailable
from api.routes import Handler, Route
from api.wiring import ENTRA, KEYRING
from workers.errors import SettingsError, TemporaryError
from workers.scopes import Scope
from workers.settings import Settings

_DOCS = ("/openapi.json", "/docs", "/docs/{file}")
_METRICS = ("/metrics",)
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Access:
    """The guard of all routes, by API key or token; without any by the address we listen on."""

    def __init__(self, settings: Settings) -> None:
        self._is_local = _is_loopback(settings.host)
        self._listed_origins = frozenset(settings.cors_origins)
        self._opened = frozenset(
            (
                *(_DOCS if settings.docs_without_key else ()),
                *(_METRICS if settings.metrics_without_key else ()),
            )
        )

    def guarded(self, route: Route, handler: Handler) -> Handler:
        """The handler, for callers that may use the route; others are refused with 401 or 403."""
        if route.needs == "nothing" or route.path in self._opened:
            return handler
        needs, is_whole_service = route.needs, route.whole_service
        by_key, by_token = self._by_key, self._by_token

        async def handle(request: web.Request) -> web.StreamResponse:
            text = _credential(request)
            caller = by_key(request, text, needs) or await by_token(request, text, needs)
            if is_whole_service and caller.organizations is not None:
                raise _forbidden(
                    "bound_key", "this is about the whole service and the key is bound to an organization"
                )
            request[CALLER] = caller
            limit = request.app[LIMITS].key
            if limit is not None and caller.id:
                request[SPENDING] = limit.spend_at_hand(caller.id) or await limit.spend(caller.id)
            return await handler(request)

        return handle

    def _by_key(self, request: web.Request, text: str, needs: Scope) -> Caller | None:
        """Who has this key, or whoever is on this machine while there is none; None: it is no key."""
        app = request.app
        keyring = app[KEYRING]
        if not keyring.has_keys and app[ENTRA] is None:
            if not keyring.was_read:
                raise _unknown_keys()
            if self._is_local:
                _require_this_machine(request, self._listed_origins)
                return ANYBODY
        key = keyring.find(text) if text else None
        if key is None:
            return None
        if needs not in key.scopes:
            raise _forbidden("missing_scope", f"the key is not good for this: it lacks the scope {needs}")
        return _holder(key.id, key.organizations)

    async def _by_token(self, request: web.Request, text: str, needs: Scope) -> Caller:
        """Who has this token of Entra ID; refuses what is none."""
        entra = request.app[ENTRA]
        # Three parts: a signed token (RFC 7515, section 7.1).
        if entra is None or text.count(".") != 2:
            if text and not request.app[KEYRING].was_read:
                raise _unknown_keys()
            raise Refusal(
                401, "unauthorized", "send the API key as Authorization: Bearer KEY", headers=_CHALLENGE
            )
        granted = await entra.grants(text)
        if needs not in granted.organizations_by_scope:
            raise _forbidden(
                "missing_scope", f"no role of the token is good for this: it lacks the scope {needs}"
            )
        return Caller(granted.holder, granted.organizations_by_scope[needs])


def _credential(request: web.Request) -> str:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


@lru_cache(maxsize=1024)
def _holder(key_id: str, organizations: tuple[str, ...]) -> Caller:
    return Caller(key_id, frozenset(organizations) or None)


def require_safe_start(settings: Settings, keyring: Keyring) -> None:
    """Raise SettingsError where HOST would open the API to anybody, TemporaryError where nobody can tell."""
    if keyring.has_keys or settings.entra_issuer is not None or _is_loopback(settings.host):
        return
    if not keyring.was_read:
        raise TemporaryError(
            "redis cannot be reached, and without it no API key is known that would protect HOST"
        )
    raise SettingsError(
        f"HOST: {settings.host} can be reached from other machines and no API key protects the service; "
        "make one with 'econeura keys create', or set ECONEURA_BOOTSTRAP_KEY_FILE to a file with one "
        "(or ECONEURA_ENTRA_ISSUER), or use 127.0.0.1"
    )


def _forbidden(code: str, text: str) -> Refusal:
    return Refusal(403, code, text)


def _unknown_keys() -> Refusal:
    return unavailable("keys_unknown", "redis cannot be reached, so no API key can be checked: try again")


def _require_this_machine(request: web.Request, listed_origins: Collection[str]) -> None:
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
    if origin is not None and origin not in listed_origins and not _names_this_machine(origin):
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
