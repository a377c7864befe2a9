"""API keys: who may call the API and for what. Only a salted hash of each is kept.

A key is the text `econeura_ID_SECRET`: its id is public and finds it, the secret is 256 random bits, so that
a plain hash cannot be searched. One that an operator brings in a file has any form, and an id of `FILE_KEYS`.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256

import orjson

from workers.redis_clients import AsyncRedis
from workers.scopes import SCOPES, Scope
from workers.store.keys import Keys
from workers.store.neighbours import known_to

FILE_KEYS: Mapping[str, tuple[Scope, ...]] = {"bootstrap": SCOPES, "metrics": ("read",)}
"""Ids of the keys that operators bring, and what these are good for."""
_PREFIX = "econeura_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. Times in Unix milliseconds.

    `organizations` empty: good for the whole service. `expires_ms` 0: never.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    organizations: tuple[str, ...]
    created_ms: int
    expires_ms: int
    salt: str
    digest: str

    def is_made_of(self, text: str) -> bool:
        """Whether this is the key's text; takes the same time whatever was given."""
        return hmac.compare_digest(_digest(self.salt, text), self.digest)

    def has_expired(self, now_ms: float) -> bool:
        return 0 < self.expires_ms <= now_ms


def new_key(
    name: str,
    scopes: Iterable[Scope],
    *,
    organizations: Iterable[str] = (),
    expires_in_s: float | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its text, which cannot be had again."""
    key_id = secrets.token_hex(6)
    text = f"{_PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    expires_ms = 0 if expires_in_s is None else _now_ms() + int(expires_in_s * 1000)
    return _made(key_id, name, scopes, organizations, expires_ms, text), text


def file_key(key_id: str, text: str) -> ApiKey:
    """The key of an operator's own text: of the whole service, without end."""
    return _made(key_id, key_id, FILE_KEYS[key_id], (), 0, text)


def ids_in(text: str) -> tuple[str, ...]:
    """The id that a key's text names; those of the operator's own keys for a text of another form."""
    if text.startswith(_PREFIX):
        key_id, separator, _ = text.removeprefix(_PREFIX).partition("_")
        if separator:
            return (key_id,)
    return tuple(FILE_KEYS)


class ApiKeys:
    """All keys, by id. They are few and read together: whoever knows one knows whether there is any."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.api_keys()
        self._used = keys.api_keys_used()

    async def add(self, key: ApiKey) -> None:
        """Keep a key, in place of a former one of its id."""
        await self._redis.hset(self._key, key.id, _stored(key))

    async def all(self) -> dict[str, ApiKey]:
        """Every key by its id, expired ones too. Raises ValueError for what is none."""
        return {name.decode(): _key_of(raw) for name, raw in (await self._redis.hgetall(self._key)).items()}

    async def revoke(self, key_id: str) -> bool:
        """End a key; False where there is none of this id."""
        async with self._redis.pipeline(transaction=True) as step:
            step.hdel(self._key, key_id)
            step.hdel(self._used, key_id)
            removed, _ = await step.execute()
        return bool(removed)

    async def note_used(self, used_ms: Mapping[str, int]) -> None:
        """Note when keys were last used."""
        if used_ms:
            await self._redis.hset(self._used, mapping=dict(used_ms))

    async def last_used_ms(self) -> dict[str, int]:
        """When keys were last used; those never used are left out."""
        return {name.decode(): int(at) for name, at in (await self._redis.hgetall(self._used)).items()}


def _made(
    key_id: str,
    name: str,
    scopes: Iterable[Scope],
    organizations: Iterable[str],
    expires_ms: int,
    text: str,
) -> ApiKey:
    salt = secrets.token_hex(16)
    return ApiKey(
        id=key_id,
        name=name,
        scopes=tuple(scopes),
        organizations=tuple(organizations),
        created_ms=_now_ms(),
        expires_ms=expires_ms,
        salt=salt,
        digest=_digest(salt, text),
    )


def _digest(salt: str, text: str) -> str:
    return sha256(f"{salt}:{text}".encode(errors="surrogateescape")).hexdigest()


def _stored(key: ApiKey) -> bytes:
    # A process of a release that knows one organization at most takes the key for the first one's, not for
    # one of the whole service.
    first = key.organizations[0] if key.organizations else None
    return orjson.dumps({**asdict(key), "organization_id": first})


def _key_of(raw: bytes) -> ApiKey:
    try:
        stored = orjson.loads(raw)
        only = stored.get("organization_id")
        organizations = stored.get("organizations", [] if only is None else [only])
        content = known_to(ApiKey, stored)
        return ApiKey(
            **{**content, "scopes": tuple(content["scopes"]), "organizations": tuple(organizations)}
        )
    except (KeyError, TypeError, AttributeError) as odd:
        raise ValueError(f"not an API key: {type(odd).__name__}") from None


def _now_ms() -> int:
    return int(time.time() * 1000)
