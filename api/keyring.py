"""The API keys as this process knows them: read again every second, so that no request waits for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import redis

from api.background import beside
from workers import logs
from workers.errors import SettingsError
from workers.settings import Settings
from workers.store import ApiKey, ApiKeys, Change, Store
from workers.store.api_keys import file_key, ids_in

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
        """Raises SettingsError where a key file holds no key."""
        texts = _read_files(settings)
        self._of_files = {key_id: file_key(key_id, text) for key_id, text in texts.items()}
        self._texts_to_store = texts
        self._known = self._of_files
        self._found: dict[str, ApiKey] = {}
        self._was_read = False
        self._used_ms: dict[str, int] = {}

    @property
    def was_read(self) -> bool:
        """Whether Redis told its keys at least once."""
        return self._was_read

    @property
    def has_keys(self) -> bool:
        """Whether any key is known, even one that has expired: a door once locked does not open by itself."""
        return bool(self._known)

    def find(self, text: str) -> ApiKey | None:
        """The key of this text, if it is one and has not expired."""
        key = self._found.get(text) or self._look_for(text)
        now_ms = int(time.time() * 1000)
        if key is None or key.has_expired(now_ms):
            return None
        self._used_ms[key.id] = now_ms
        return key

    def _look_for(self, text: str) -> ApiKey | None:
        named = (self._known.get(key_id, _NOBODY) for key_id in ids_in(text))
        right = [key for key in named if key.is_made_of(text)]
        if not right:
            return None
        # Until the keys are read again, which is every second: to hash the text of each request would show.
        self._found[text] = right[0]
        return right[0]

    @asynccontextmanager
    async def following(self, store: Store) -> AsyncIterator[None]:
        """Know the keys from now on; at the end it is told when each was last used."""
        await self._read(store)
        try:
            async with beside(self._follow(store)):
                yield
        finally:
            with suppress(*_AWAY):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._tell_used(store.api_keys)

    async def _follow(self, store: Store) -> None:
        tell_at = time.monotonic() + _TELL_USED_EVERY_S
        while True:
            await asyncio.sleep(READ_EVERY_S)
            await self._read(store)
            if time.monotonic() > tell_at:
                tell_at = time.monotonic() + _TELL_USED_EVERY_S
                with suppress(*_AWAY):
                    await self._tell_used(store.api_keys)

    async def _read(self, store: Store) -> None:
        try:
            found = await store.api_keys.all()
            await self._store_those_of_files(store, found)
        except _AWAY as away:
            _log.warning("keys_not_read", reason=type(away).__name__)
        except ValueError as unreadable:
            # Those known hold: to skip one could leave none, and open the door.
            _log.error("keys_unreadable", reason=str(unreadable))
        else:
            self._known, self._was_read = {**found, **self._of_files}, True
        # Also where they could not be read: no text of a key is kept for longer than this.
        self._found.clear()

    async def _store_those_of_files(self, store: Store, found: Mapping[str, ApiKey]) -> None:
        """So that they are seen in lists, and known to processes that have no such files."""
        for key_id, text in list(self._texts_to_store.items()):
            if not found.get(key_id, _NOBODY).is_made_of(text):
                await store.api_keys.add(self._of_files[key_id])
                told = {"scopes": ",".join(self._of_files[key_id].scopes)}
                await store.audit.note(Change("key.created", "file", target=key_id, details=told))
            del self._texts_to_store[key_id]

    async def _tell_used(self, stored: ApiKeys) -> None:
        used, self._used_ms = self._used_ms, {}
        await stored.note_used({key_id: at for key_id, at in used.items() if key_id in self._known})


def _read_files(settings: Settings) -> dict[str, str]:
    """The texts of the keys that the operator brought, by id."""
    paths = {"bootstrap": settings.bootstrap_key_file, "metrics": settings.metrics_key_file}
    return {
        key_id: _read_file(f"ECONEURA_{key_id.upper()}_KEY_FILE", path)
        for key_id, path in paths.items()
        if path is not None
    }


def _read_file(setting: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as unreadable:
        raise SettingsError(f"{setting}: cannot read {path}: {unreadable}") from None
    if len(text) < _SHORTEST_KEY:
        raise SettingsError(
            f"{setting}: the key in {path} can be guessed; "
            f"it needs {_SHORTEST_KEY} characters, such as those of 'openssl rand -hex 32'"
        )
    return text
