"""Somebody who looks at Redis all the time, so that no request has to wait to find out that it is away."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import redis
from aiohttp import web

from api.load import Load
from workers import logs
from workers.broker.keys import Keys
from workers.broker.stats import read_backlog
from workers.settings import Settings
from workers.store import Store

_log = logs.get_logger("api")
_LOOK_EVERY_S = 0.5
_LOOK_AGAIN_S = 0.1
_LOOK_TIMEOUT_S = 1.0
# One look without an answer may be our own fault: a busy machine.
_SILENT_LOOKS = 2


class Lookout:
    """Opens and closes the intake by what Redis says."""

    def __init__(self, store: Store, load: Load, settings: Settings) -> None:
        self._redis = store.redis
        self._probe = store.keys.api_probe()
        self._partitions = [
            Keys(settings.namespace, number, settings.partitions) for number in range(settings.partitions)
        ]
        self._limit = settings.queue_limit_messages
        self._load = load
        self._found = ""
        self._silent = 0
        self._doubt = asyncio.Event()

    def doubt(self) -> None:
        """Look now: a request failed."""
        self._doubt.set()

    async def follow(self) -> None:
        """Look until cancelled."""
        while True:
            found = await self._look()
            self._act_on(found)
            self._doubt.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S if found else _LOOK_EVERY_S):
                    await self._doubt.wait()

    def _act_on(self, found: str) -> None:
        if found == self._found:
            return
        self._found = found
        if found:
            _log.warning("intake_closed", cause=found)
            self._load.close_for(found)
        else:
            _log.info("intake_open")
            self._load.open()

    async def _look(self) -> str:
        try:
            async with asyncio.timeout(_LOOK_TIMEOUT_S):
                backlog = await read_backlog(self._redis, self._partitions)
                await self._redis.set(self._probe, b"", px=1000)
        except redis.ResponseError:
            return "refusing"
        except (redis.TimeoutError, TimeoutError):
            self._silent += 1
            return "away" if self._silent >= _SILENT_LOOKS else self._found
        except (redis.RedisError, OSError):
            return "away"
        self._silent = 0
        return "full" if backlog >= self._limit else ""


LOOKOUT: web.AppKey[Lookout] = web.AppKey("lookout", Lookout)
