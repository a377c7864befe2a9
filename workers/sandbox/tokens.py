"""Access tokens: issued to apps that prove themselves by secret or certificate, checked on every call."""

from __future__ import annotations

import base64
import time
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from workers.sandbox.behaviour import Behaviour
from workers.sandbox.calls import GraphProblem
from workers.sandbox.directory import App, Directory

# Who signs the validation tokens of rich notifications (C/change-notifications-with-resource-data).
NOTIFIER_APP_ID = "0bf30f3b-4a52-48df-9a82-234910c4a086"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class LoginRefused(Exception):
    """A token request Entra refuses: an AADSTS number, an OAuth error code (RFC 6749, 5.2) and a status."""

    def __init__(self, number: int, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.number = number
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True)
class _Grant:
    app: App
    expires_at: float


class Tokens:
    """Issues and checks tokens; they are real JWTs, signed by the sandbox's key."""

    def __init__(self, directory: Directory, behaviour: Behaviour) -> None:
        self._directory = directory
        self._behaviour = behaviour
        self._grants: dict[str, _Grant] = {}
        self.key_id = uuid.uuid4().hex

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def issue(self, tenant_id: str, form: dict[str, str], token_endpoints: tuple[str, ...]) -> dict[str, Any]:
        """Answer a client credentials request; LoginRefused if it proves nothing."""
        if tenant_id not in self._directory.tenants:
            raise LoginRefused(90002, "invalid_request", f"Tenant '{tenant_id}' not found.")
        if form.get("grant_type") != "client_credentials":
            raise LoginRefused(
                70003, "unsupported_grant_type", "The app requested an unsupported grant type."
            )
        app = self._directory.app(tenant_id, form.get("client_id", ""))
        if app is None:
            raise LoginRefused(
                700016,
                "unauthorized_client",
                f"Application with identifier '{form.get('client_id')}' was not found.",
            )
        if not form.get("scope", "").endswith("/.default") or " " in form["scope"]:
            raise LoginRefused(
                1002012,
                "invalid_scope",
                "The provided value for scope is not valid: use '<resource>/.default'.",
            )
        if "client_assertion" in form:
            _check_assertion(app, form, token_endpoints)
        elif not app.client_secret or form.get("client_secret") != app.client_secret:
            raise LoginRefused(7000215, "invalid_client", "Invalid client secret provided.", status=401)
        return self._grant(app, audience=form["scope"].removesuffix("/.default"))

    def app_of(self, authorization: str) -> App:
        """The app a Bearer token was issued to; GraphProblem 401."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("Access token is empty.")
        grant = self._grants.get(token)
        if grant is None:
            raise _unauthorized("IDX14100: JWT is not well formed or was revoked.")
        if grant.expires_at <= time.time():
            raise _unauthorized("Lifetime validation failed, the token is expired.")
        return grant.app

    def revoke_all(self) -> int:
        """Let every token given out so far be refused; returns how many."""
        count = len(self._grants)
        self._grants.clear()
        return count

    def validation_token(self, app: App) -> str:
        """The JWT that comes with rich notifications for an app."""
        now = int(time.time())
        return self._sign(
            {
                "aud": app.client_id,
                "iss": f"https://sts.windows.net/{app.tenant_id}/",
                "iat": now,
                "nbf": now - 300,
                "exp": now + 3600,
                "appid": NOTIFIER_APP_ID,
            }
        )

    def public_keys(self) -> dict[str, Any]:
        """The key set (RFC 7517) that checks our signatures."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "kid": self.key_id,
            "x5t": self.key_id,
            "n": _base64url_number(numbers.n),
            "e": _base64url_number(numbers.e),
        }
        return {"keys": [key]}

    def _grant(self, app: App, audience: str) -> dict[str, Any]:
        now = time.time()
        self._grants = {token: grant for token, grant in self._grants.items() if grant.expires_at > now}
        life_s = self._behaviour.token_life_s
        token = self._sign(
            {
                "aud": audience,
                "iss": f"https://sts.windows.net/{app.tenant_id}/",
                "iat": int(now),
                "exp": int(now) + life_s,
                "appid": app.client_id,
                "roles": sorted(app.roles),
                "tid": app.tenant_id,
                "uti": uuid.uuid4().hex,
            }
        )
        self._grants[token] = _Grant(app, now + life_s)
        return {"token_type": "Bearer", "expires_in": life_s, "ext_expires_in": life_s, "access_token": token}

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(
            claims, self._key, algorithm="RS256", headers={"kid": self.key_id, "x5t": self.key_id}
        )


def _check_assertion(app: App, form: dict[str, str], audiences: tuple[str, ...]) -> None:
    if form.get("client_assertion_type") != _ASSERTION_TYPE:
        raise LoginRefused(50027, "invalid_request", "JWT token is invalid or malformed.")
    for certificate in app.certificates:
        public_key = certificate.public_key()
        if not isinstance(public_key, rsa.RSAPublicKey):
            continue
        if not _names_certificate(form["client_assertion"], certificate):
            continue
        try:
            jwt.decode(
                form["client_assertion"],
                public_key,
                algorithms=["PS256", "RS256"],
                audience=list(audiences),
                issuer=app.client_id,
                options={"require": ["exp", "aud", "iss", "sub", "jti"]},
            )
        except jwt.InvalidTokenError as error:
            raise LoginRefused(
                700027, "invalid_client", f"Client assertion failed: {error}.", status=401
            ) from error
        return
    raise LoginRefused(
        700027, "invalid_client", "The certificate used to sign is not registered on application.", status=401
    )


def _names_certificate(assertion: str, certificate: x509.Certificate) -> bool:
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError as error:
        raise LoginRefused(50027, "invalid_request", "JWT token is invalid or malformed.") from error
    sha1 = certificate.fingerprint(hashes.SHA1())  # noqa: S303 - x5t is a SHA-1 by definition (RFC 7515, 4.1.7)
    sha256 = certificate.fingerprint(hashes.SHA256())
    for name, thumbprint in (("x5t#S256", sha256), ("x5t", sha1)):
        # msal pads them, RFC 7515 does not.
        if str(header.get(name, "")).rstrip("=") == _base64url(thumbprint):
            return True
    return False


def _unauthorized(message: str) -> GraphProblem:
    return GraphProblem(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": 'Bearer realm=""'})


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _base64url_number(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))
