"""Bearer tokens of Microsoft Entra ID: who they are for, and what their app roles are good for.

The rules: RFC 7519 and RFC 8725 for tokens, and
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference for Entra's claims.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    PyJWTError,
)

from api.refusals import Refusal
from api.signing_keys import ALGORITHM, SigningKeys
from workers.scopes import Scope
from workers.settings import Settings

# Clocks differ; Microsoft's own libraries allow five minutes.
_CLOCK_SKEW_S = 60
_CHALLENGE = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
_REQUIRED = ("iss", "aud", "exp", "nbf", "iat")
_REASONS: tuple[tuple[type[PyJWTError], str], ...] = (
    (ExpiredSignatureError, "the token has expired"),
    (ImmatureSignatureError, "the token is not valid yet"),
    (InvalidAudienceError, "the token is for another audience"),
    (InvalidIssuerError, "the token is of another issuer"),
)


@dataclass(frozen=True, slots=True)
class Grants:
    """Who holds a token, and for each scope the organizations it is good for (None: the whole service)."""

    holder: str
    organizations_by_scope: Mapping[Scope, frozenset[str] | None]


class EntraTokens:
    """The judge of tokens of one issuer for one audience."""

    def __init__(self, issuer: str, audience: str, settings: Settings) -> None:
        self._issuer = issuer
        self._audience = audience
        self._scopes_by_role = settings.scopes_by_role
        self._keys = SigningKeys(issuer, settings.ca_file)

    @classmethod
    def configured(cls, settings: Settings) -> EntraTokens | None:
        """None where no issuer is set."""
        if settings.entra_issuer is None or settings.entra_audience is None:
            return None
        return cls(settings.entra_issuer, settings.entra_audience, settings)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Know the issuer's keys from now on."""
        async with self._keys.following():
            yield

    async def grants(self, token: str) -> Grants:
        """What a token is good for; refuses (401) one that is not good.

        Raises TemporaryError while the issuer's keys are not known.
        """
        try:
            header = jwt.get_unverified_header(token)
        except PyJWTError:
            raise _refused("this is no token") from None
        key_id = header.get("kid")
        # Named before the key is looked for: no other algorithm ever meets a key (RFC 8725, section 3.1).
        if header.get("alg") != ALGORITHM or not isinstance(key_id, str):
            raise _refused(f"the token is not signed by {ALGORITHM} with a named key")
        key = await self._keys.find(key_id)
        if key is None:
            raise _refused("the token is signed with an unknown key")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_CLOCK_SKEW_S,
                options={"require": list(_REQUIRED)},
            )
        except PyJWTError as wrong:
            reason = next(
                (text for kind, text in _REASONS if isinstance(wrong, kind)), "the token is not valid"
            )
            raise _refused(reason) from None
        return self._granted(claims)

    def _granted(self, claims: Mapping[str, Any]) -> Grants:
        app = claims.get("azp", claims.get("appid"))
        holder = claims.get("oid", claims.get("sub"))
        # An ID token of the same registration has the same audience, and names no app that asked for it.
        if not isinstance(app, str) or not isinstance(holder, str):
            raise _refused("this is no access token")
        roles = claims.get("roles", [])
        return Grants(f"entra:{holder}", self._scopes_of(map(str, roles) if isinstance(roles, list) else ()))

    def _scopes_of(self, roles: Iterable[str]) -> dict[Scope, frozenset[str] | None]:
        """`ROLE` is good for the whole service, `ROLE@ORGANIZATION` for that organization."""
        found: dict[Scope, frozenset[str] | None] = {}
        for role in roles:
            name, is_bound, organization_id = role.partition("@")
            for scope in self._scopes_by_role.get(name, ()):
                before = found.get(scope, frozenset())
                found[scope] = None if before is None or not is_bound else before | {organization_id}
        return found


def _refused(reason: str) -> Refusal:
    return Refusal(401, "unauthorized", reason, headers=_CHALLENGE)
