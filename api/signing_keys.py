"""The public keys with which an issuer signs its tokens: read ahead of need, and kept while it is away.

Found by OpenID Connect Discovery 1.0, section 4; the set of keys is RFC 7517.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from api.background import beside
from workers import logs
from workers.errors import TemporaryError
from workers.graph.tls import trust
from workers.settings import is_safe_url

_log = logs.get_logger("api")
ALGORITHM = "RS256"
_READ_EVERY_S = 3600.0
_TRY_AGAIN_S = (5.0, 60.0)
# Entra names a new key days before it signs with it, so this is for what comes unannounced. Strangers can
# make us ask no more often.
_ASKED_FOR_EVERY_S = 60.0
# A key that its issuer withdrew must not be good for ever because the issuer cannot be reached.
_GOOD_FOR_S = 86400.0
_TIMEOUT_S = 5.0
_MOST_BYTES = 256 * 1024


class SigningKeys:
    """The keys of one issuer by their id."""

    def __init__(self, issuer: str, ca_file: Path | None) -> None:
        self._issuer = issuer
        self._trust = trust(ca_file)
        self._keys: Mapping[str, PyJWK] = {}
        self._read_at: float | None = None
        self._asked_for_at: float | None = None
        self._reading = asyncio.Lock()
        self._session: ClientSession | None = None

    async def find(self, key_id: str) -> PyJWK | None:
        """The key of this id, None where the issuer has none. Raises TemporaryError while none are known.

        An id never seen before has the keys read again, once a minute at most; nothing else waits for that.
        """
        if not self._knows(key_id):
            await self._read_for(key_id)
        if not self._are_good:
            raise TemporaryError(
                "the issuer's signing keys cannot be read, so no token can be checked: try again",
                code="signing_keys_unknown",
                retry_after_s=_TRY_AGAIN_S[0],
            )
        return self._keys.get(key_id)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Know the keys from now on; while the issuer is away, those last read hold for a day."""
        timeout = ClientTimeout(total=_TIMEOUT_S)
        async with (
            ClientSession(timeout=timeout, trust_env=False) as self._session,
            beside(self._follow()),
        ):
            yield

    @property
    def _are_good(self) -> bool:
        return self._read_at is not None and time.monotonic() - self._read_at < _GOOD_FOR_S

    async def _follow(self) -> None:
        wait_s = _TRY_AGAIN_S[0]
        while True:
            async with self._reading:
                was_read = await self._read()
            wait_s = _TRY_AGAIN_S[0] if was_read else min(wait_s * 2, _TRY_AGAIN_S[1])
            await asyncio.sleep(_READ_EVERY_S if was_read else wait_s)

    def _knows(self, key_id: str) -> bool:
        return key_id in self._keys and self._are_good

    async def _read_for(self, key_id: str) -> None:
        async with self._reading:
            now = time.monotonic()
            was_just_asked = self._asked_for_at is not None and now - self._asked_for_at < _ASKED_FOR_EVERY_S
            # Known by now: those who wait here for one reading need no other.
            if not self._knows(key_id) and not was_just_asked:
                self._asked_for_at = now
                await self._read()

    async def _read(self) -> bool:
        try:
            about = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != self._issuer:
                raise ValueError(f"it calls itself {about.get('issuer')!r}")
            address = str(about.get("jwks_uri"))
            if not is_safe_url(address):
                raise ValueError("its jwks_uri is not https")
            self._keys = _usable(await self._get(address))
        except (ClientError, TimeoutError, OSError, ValueError, TypeError) as away:
            _log.warning(
                "signing_keys_not_read", issuer=self._issuer, reason=f"{type(away).__name__}: {away}"
            )
            return False
        self._read_at = time.monotonic()
        return True

    async def _get(self, url: str) -> dict[str, Any]:
        if self._session is None:
            raise ValueError("not following")
        async with self._session.get(url, ssl=self._trust, allow_redirects=False) as reply:
            if reply.status != 200:
                raise ValueError(f"{url} answered {reply.status}")
            body = bytearray()
            async for part in reply.content.iter_any():
                body += part
                if len(body) > _MOST_BYTES:
                    raise ValueError(f"{url} answers with over {_MOST_BYTES} bytes")
        return dict(orjson.loads(body))


def _usable(document: Mapping[str, Any]) -> dict[str, PyJWK]:
    """The RSA keys for signatures; raises ValueError where there are none."""
    keys = {}
    for entry in document.get("keys") or ():
        if not isinstance(entry, dict) or entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig":
            continue
        # One key that cannot be read must not hide the others.
        with suppress(PyJWTError):
            keys[str(entry.get("kid"))] = PyJWK(entry, algorithm=ALGORITHM)
    if not keys:
        raise ValueError("it has no RSA key for signatures")
    return keys
