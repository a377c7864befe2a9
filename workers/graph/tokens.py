"""App tokens of one organization: fetched by msal off the event loop, kept until they near their end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import msal
import requests

from workers.errors import AccessDenied, SettingsError, TemporaryError
from workers.graph.replies import retry_after_of
from workers.graph.tls import blocking_session
from workers.organizations import Credential
from workers.settings import Settings

# Hosts of the public and national clouds: only these does msal's instance discovery know.
MICROSOFT_LOGIN_HOSTS = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
    }
)
_REFRESH_BEFORE_S = 300.0
# A refused credential is asked for again no sooner: every call would repeat the same refusal.
_REFUSED_FOR_S = 30.0
_LOGIN_DOWN_FOR_S = 5.0
_TRANSIENT = frozenset({"temporarily_unavailable", "server_error", "request_timeout"})

# On a malformed answer msal logs the whole text, and that text can hold a token.
logging.getLogger("msal").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class App:
    """One app registration in one tenant, as an organization uses it."""

    organization_id: str
    tenant_id: str
    client_id: str


@dataclass(frozen=True)
class _Token:
    value: str
    refresh_at: float
    expires_at: float


class Tokens:
    """The token of one app; `credential` is read when first needed: a broken one stops only its own app."""

    def __init__(self, app: App, credential: Callable[[], Credential], settings: Settings) -> None:
        self.app = app
        self._credential = credential
        self._settings = settings
        self._msal: Any = None
        self._token: _Token | None = None
        self._refusal: tuple[float, str] | None = None
        self._fetching = asyncio.Lock()

    async def token(self) -> str:
        """A valid bearer token; raises AccessDenied (broken credential) or TemporaryError (login is down)."""
        if self._token is None or time.monotonic() >= self._token.refresh_at:
            # msal has no single flight: without the lock every waiting call would fetch a token of its own.
            async with self._fetching:
                if self._token is None or time.monotonic() >= self._token.refresh_at:
                    self._token = await self._fetch_unless_spared()
        return self._token.value

    async def throw_away(self, rejected: str) -> None:
        """Forget a token that Graph answered 401 to, unless another call has replaced it already."""
        async with self._fetching:
            if self._token is not None and self._token.value == rejected:
                self._token = None
                await asyncio.to_thread(self._msal.remove_tokens_for_client)

    async def _fetch_unless_spared(self) -> _Token:
        try:
            return await self._fetch()
        except TemporaryError:
            # Login is down, but the token we have is still good for a while.
            if self._token is None or time.monotonic() >= self._token.expires_at:
                raise
            return replace(self._token, refresh_at=time.monotonic() + _LOGIN_DOWN_FOR_S)

    async def _fetch(self) -> _Token:
        if self._refusal is not None and time.monotonic() < self._refusal[0]:
            raise AccessDenied(self._refusal[1])
        try:
            # requests' limits bound each read, not the whole: this one bounds what the caller waits.
            async with asyncio.timeout(self._settings.graph_timeout_s * 2):
                answer = await asyncio.to_thread(self._acquire)
        except AccessDenied as refused:
            self._refusal = (time.monotonic() + _REFUSED_FOR_S, str(refused))
            raise
        except TimeoutError:
            raise TemporaryError(f"no token for {self.app.organization_id}: login timed out") from None
        self._refusal = None
        lifetime_s = float(answer["expires_in"])
        expires_at = time.monotonic() + lifetime_s
        return _Token(
            value=answer["access_token"],
            refresh_at=expires_at - min(_REFRESH_BEFORE_S, lifetime_s / 4),
            expires_at=expires_at,
        )

    def _acquire(self) -> dict[str, Any]:
        """Fetch a token (blocking); msal's many ways to fail become AccessDenied or TemporaryError."""
        label = f"organization {self.app.organization_id}"
        try:
            client = self._msal or self._connect()
        except (ValueError, SettingsError) as broken:
            raise AccessDenied(f"{label}: credential or tenant not usable: {broken}") from None
        except requests.RequestException as unreachable:
            raise TemporaryError(f"{label}: login not reachable: {_reason(unreachable)}") from None
        self._msal = client
        try:
            answer = client.acquire_token_for_client([f"{_root_of(self._settings.graph_url)}/.default"])
        except requests.RequestException as unreachable:
            raise TemporaryError(f"{label}: login not reachable: {_reason(unreachable)}") from None
        except ValueError:
            raise TemporaryError(f"{label}: login gave a malformed answer") from None
        error = answer.get("error")
        if error in _TRANSIENT:
            raise TemporaryError(f"{label}: login says {error}")
        if error or "access_token" not in answer or "expires_in" not in answer:
            text = str(answer.get("error_description") or "").splitlines()
            raise AccessDenied(
                f"{label}: login refused the credential: {error} {text[0] if text else ''}".rstrip()
            )
        return dict(answer)

    def _connect(self) -> Any:
        session = blocking_session(self._settings.ca_file, timeout_s=self._settings.graph_timeout_s)
        session.hooks["response"].append(_raise_if_busy)
        is_microsoft = urlsplit(self._settings.login_url).hostname in MICROSOFT_LOGIN_HOSTS
        return msal.ConfidentialClientApplication(
            self.app.client_id,
            authority=f"{self._settings.login_url}/{self.app.tenant_id}",
            client_credential=_for_msal(self._credential()),
            instance_discovery=None if is_microsoft else False,
            http_client=session,
        )


def _for_msal(credential: Credential) -> str | dict[str, str]:
    if credential.certificate_pem is not None:
        # With the certificate itself (not a thumbprint) msal signs PS256 and sends x5t#S256.
        return {"private_key": credential.certificate_pem, "public_certificate": credential.certificate_pem}
    return credential.client_secret or ""


def _root_of(graph_url: str) -> str:
    parts = urlsplit(graph_url)
    return f"{parts.scheme}://{parts.netloc}"


def _raise_if_busy(response: requests.Response, *_: Any, **__: Any) -> None:
    """msal would take a 429 on discovery for a wrong tenant, and hide Retry-After everywhere."""
    if response.status_code == 429 or response.status_code >= 500:
        raise TemporaryError(
            f"login answered {response.status_code}",
            retry_after_s=retry_after_of(response.headers.get("Retry-After")),
        )


def _reason(problem: requests.RequestException) -> str:
    text = str(problem)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted; set ECONEURA_CA_FILE"
    return type(problem).__name__
