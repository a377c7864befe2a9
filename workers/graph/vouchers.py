"""Who vouches for notifications that carry content: tokens that Entra ID signed for Graph's own notifier.

As "Set up change notifications that include resource data" (Microsoft Graph documentation) has it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence

import jwt
import requests

from workers.errors import TemporaryError
from workers.graph.tls import blocking_session, trust
from workers.settings import Settings

# The app id of Graph's own notifier: whoever else signs, however validly, is not Graph.
NOTIFIER_APP_ID = "0bf30f3b-4a52-48df-9a82-234910c4a086"
_ISSUER = re.compile(r"https://sts\.windows\.net/(?P<tenant>[^/]+)/")


class Vouchers:
    """Checks the validation tokens that come with rich notifications."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys: jwt.PyJWKClient | None = None

    async def vouched(self, tokens: Sequence[str], client_ids: Iterable[str]) -> frozenset[tuple[str, str]]:
        """The (tenant id, client id) pairs the tokens vouch for: a notification of no such pair is forged.

        Checks signature, expiry, audience (one of ours), issuer and that Graph's notifier is the sender; a
        token that fails any of it vouches for nothing. Raises TemporaryError while the login service is down.
        """
        pairs = await asyncio.to_thread(self._pairs_of, tokens, list(client_ids))
        return frozenset(pair for pair in pairs if pair is not None)

    def _pairs_of(self, tokens: Sequence[str], client_ids: list[str]) -> list[tuple[str, str] | None]:
        return [self._pair_of(token, client_ids) for token in tokens]

    def _pair_of(self, token: str, client_ids: list[str]) -> tuple[str, str] | None:
        try:
            claims = jwt.decode(
                token,
                self._signing_keys().get_signing_key_from_jwt(token),
                algorithms=["RS256"],
                audience=client_ids,
                options={"require": ["exp", "aud", "iss"]},
            )
        except jwt.PyJWKClientConnectionError:
            raise TemporaryError("the login service's signing keys cannot be had") from None
        except jwt.PyJWTError:
            return None
        issuer = _ISSUER.fullmatch(str(claims["iss"]))
        if claims.get("appid") != NOTIFIER_APP_ID or issuer is None:
            return None
        tenant_id = issuer["tenant"].lower()
        if str(claims.get("tid") or tenant_id).lower() != tenant_id:
            return None
        return tenant_id, str(claims["aud"])

    def _signing_keys(self) -> jwt.PyJWKClient:
        if self._keys is None:
            timeout_s = self._settings.graph_timeout_s
            url = f"{self._settings.login_url}/common/.well-known/openid-configuration"
            with blocking_session(self._settings.ca_file, timeout_s=timeout_s) as session:
                try:
                    answer = session.get(url)
                    answer.raise_for_status()
                    address = answer.json()["jwks_uri"]
                except (requests.RequestException, KeyError) as failed:
                    raise TemporaryError(f"login's configuration: {type(failed).__name__}") from None
            self._keys = jwt.PyJWKClient(
                address, timeout=timeout_s, ssl_context=trust(self._settings.ca_file), lifespan=86400
            )
        return self._keys
