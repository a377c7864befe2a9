"""An issuer of tokens, as Entra ID is one: discovery document, signing keys (JWKS), signed tokens."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

AUDIENCE = "api://econeura"
APP, HOLDER = "11111111-app", "22222222-oid"


@cache
def private_key(name: str) -> RSAPrivateKey:
    """One key for each name: making them takes its time."""
    return generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """Serves its public keys on loopback, and counts how often they were read."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key_id = "first"
        self.reads = 0
        self.names_itself = url
        self.is_away = False

    def rotate(self, key_id: str) -> None:
        """Sign with a new key from now on, the only one that is shown."""
        self.key_id = key_id

    def claims(self, **others: Any) -> dict[str, Any]:
        """Those of an app-only access token with all roles; None as a value leaves a claim out."""
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "azp": APP,
            "oid": HOLDER,
            "sub": HOLDER,
            "roles": ["read", "submit", "operate", "admin"],
            **others,
        }
        return {name: value for name, value in said.items() if value is not None}

    def token(self, *, signed_with: str | None = None, key_id: str | None = None, **claims: Any) -> str:
        """A token with these claims changed, signed with the key in force or another."""
        return jwt.encode(
            self.claims(**claims),
            private_key(signed_with or self.key_id),
            algorithm="RS256",
            headers={"kid": key_id or self.key_id},
        )

    def jwks(self) -> dict[str, Any]:
        shown = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private_key(self.key_id).public_key()))
        return {
            "keys": [
                {"kty": "RSA", "use": "sig", "kid": "broken", "n": "", "e": ""},
                {"kty": "EC", "use": "sig", "kid": "another kind"},
                {"kty": "RSA", "use": "sig", "kid": self.key_id, "n": shown["n"], "e": shown["e"]},
            ]
        }

    async def _discovery(self, _: web.Request) -> web.Response:
        if self.is_away:
            raise web.HTTPServiceUnavailable
        return web.json_response({"issuer": self.names_itself, "jwks_uri": f"{self.url}/keys"})

    async def _keys(self, _: web.Request) -> web.Response:
        self.reads += 1
        return web.json_response(self.jwks())

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """An issuer on a free port."""
        app = web.Application()
        runner = web.AppRunner(app)
        issuer = cls("")
        app.router.add_get("/.well-known/openid-configuration", issuer._discovery)
        app.router.add_get("/keys", issuer._keys)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            issuer.url = issuer.names_itself = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield issuer
        finally:
            await runner.cleanup()
