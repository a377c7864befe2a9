"""No process works on stored data that it cannot read: looked at when it starts, or once Redis answers."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import redis

from workers import logs, redis_clients
from workers.settings import Settings
from workers.side_thread import beside
from workers.store.keys import Keys
from workers.store.schema import UnreadableSchema, agree

_log = logs.get_logger("schema")
_TIMEOUT_S = 2.0
_TRY_AGAIN_S = 1.0


@contextmanager
def agreed(settings: Settings) -> Iterator[None]:
    """Raises UnreadableSchema at once, or, where Redis is away now, ends this process once it is known."""
    if _is_agreed(settings):
        yield
        return
    _log.warning("schema_not_checked", reason="redis cannot be reached")
    with beside("schema", partial(_keep_trying, settings)):
        yield


def _is_agreed(settings: Settings) -> bool:
    try:
        with redis_clients.connect_sync(settings, timeout_s=_TIMEOUT_S) as client:
            agree(client, Keys(settings.namespace, settings.partitions))
    except redis.RedisError:
        return False
    return True


def _keep_trying(settings: Settings, stop: threading.Event) -> None:
    while not stop.wait(_TRY_AGAIN_S):
        try:
            if _is_agreed(settings):
                return
        except UnreadableSchema as unreadable:
            _log.error("schema_unreadable", reason=str(unreadable))
            # As an operator would: what is in hand is given back. The next start is refused with the reason.
            os.kill(os.getpid(), signal.SIGTERM)
            return
