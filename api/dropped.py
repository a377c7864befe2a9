"""Notifications that were not genuine: anybody can send them, so they are counted, not written down."""

from __future__ import annotations

import time

from aiohttp import web

from workers import logs, metrics

_log = logs.get_logger("api")
_count = metrics.ERRORS.labels("notification_dropped", "listen", "warning")
_TELL_EVERY_S = 1.0


class Dropped:
    """Counts them all, and tells the log once a second at most."""

    def __init__(self) -> None:
        self._untold = 0
        self._tell_at = 0.0

    def note(self, count: int) -> None:
        _count.inc(count)
        self._untold += count
        now = time.monotonic()
        if now >= self._tell_at:
            _log.warning("notifications_dropped", count=self._untold)
            self._untold, self._tell_at = 0, now + _TELL_EVERY_S


DROPPED: web.AppKey[Dropped] = web.AppKey("dropped", Dropped)
