"""The API keys as this process knows them: read again every second, so that no request waits for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import redis

from api.background import beside
from workers import logs
from workers.errors import SettingsError
from workers.settings import Settings
from workers.store import ApiKey, ApiKeys
from workers.store.api_keys import BOOTSTRAP_ID, bootstrap_key, id_in

_log = logs.get_logger("api")
READ_EVERY_S = 1.0
_TELL_USED_EVERY_S = 30.0
_GOODBYE_S = 1.0
_SHORTEST_KEY = 32
_AWAY = (redis.RedisError, TimeoutError)
# Compared with where no key has the id that was given: it takes as long as with one.
_NOBODY = ApiKey("", "", (), (), 0, 0, "", "0" * 64)


class Keyring:
    """All keys in memory. While Redis is away, those last read hold; revoking needs Redis, too."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError where ECONEURA_BOOTSTRAP_KEY_FILE holds no key."""
        text = _read_bootstrap(settings)
        self._bootstrap = None if text is None else bootstrap_key(text)
        self._bootstrap_is_stored = False
        self._stored: dict[str, ApiKey] | None = None
        self._used_ms: dict[str, int] = {}

    @property
    def was_read(self) -> bool:
        """Whether Redis told its keys at least once."""
        return self._stored is not None

    @property
    def has_keys(self) -> bool:
        """Whether any key is known, even one that has expired: a door once locked does not open by itself."""
        return self._bootstrap is not None or bool(self._stored)

    def find(self, text: str) -> ApiKey | None:
        """The key of this text, if it is one and has not expired."""
        key_id = id_in(text)
        key = (self._stored or {}).get(key_id, _NOBODY)
        if key_id == BOOTSTRAP_ID and self._bootstrap is not None:
            key = self._bootstrap
        is_right, now_ms = key.is_made_of(text), int(time.time() * 1000)
        if not is_right or key.has_expired(now_ms):
            return None
        self._used_ms[key.id] = now_ms
        return key

    @asynccontextmanager
    async def following(self, stored: ApiKeys) -> AsyncIterator[None]:
        """Know the keys from now on; at the end it is told when each was last used."""
        await self._read(stored)
        try:
            async with beside(self._follow(stored)):
                yield
        finally:
            with suppress(*_AWAY):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._tell_used(stored)

    async def _follow(self, stored: ApiKeys) -> None:
        tell_at = time.monotonic() + _TELL_USED_EVERY_S
        while True:
            await asyncio.sleep(READ_EVERY_S)
            await self._read(stored)
            if time.monotonic() > tell_at:
                tell_at = time.monotonic() + _TELL_USED_EVERY_S
                with suppress(*_AWAY):
                    await self._tell_used(stored)

    async def _read(self, stored: ApiKeys) -> None:
        try:
            found = await stored.all()
            if self._bootstrap is not None and not self._bootstrap_is_stored:
                # The first key: seen in lists, and known to processes that have no such file.
                await stored.add(self._bootstrap)
                self._bootstrap_is_stored = True
        except _AWAY as away:
            _log.warning("keys_not_read", reason=type(away).__name__)
        except ValueError as unreadable:
            # Those known hold: to skip one could leave none, and open the door.
            _log.error("keys_unreadable", reason=str(unreadable))
        else:
            self._stored = found

    async def _tell_used(self, stored: ApiKeys) -> None:
        known = self._stored or {}
        used, self._used_ms = self._used_ms, {}
        await stored.note_used({key_id: at for key_id, at in used.items() if key_id in known})


def _read_bootstrap(settings: Settings) -> str | None:
    path = settings.bootstrap_key_file
    if path is None:
        return None
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as unreadable:
        raise SettingsError(f"ECONEURA_BOOTSTRAP_KEY_FILE: cannot read {path}: {unreadable}") from None
    if len(text) < _SHORTEST_KEY:
        raise SettingsError(
            f"ECONEURA_BOOTSTRAP_KEY_FILE: the key in {path} can be guessed; "
            f"it needs {_SHORTEST_KEY} characters, such as those of 'openssl rand -hex 32'"
        )
    return text
