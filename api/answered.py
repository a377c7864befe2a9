"""Requests answered, added up for a moment before the metrics hear of it: those cost more than the adding."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

from aiohttp import web

from workers import metrics

_EVERY_S = 0.25
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})


class Answered:
    """Counts and times of requests by method, route and status, told at most 0.25 s later."""

    def __init__(self) -> None:
        self._seconds: defaultdict[tuple[str, str, int], list[float]] = defaultdict(list)
        self._telling: asyncio.TimerHandle | None = None

    def note(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Note an answer. `route` is the template, for labels that do not grow with what is asked."""
        self._seconds[method, route, status].append(duration_s)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_EVERY_S, self.tell)

    def tell(self) -> None:
        """Tell the metrics now."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        noted, self._seconds = self._seconds, defaultdict(list)
        for (method, route, status), seconds in noted.items():
            labels = (method if method in _METHODS else "OTHER", route, str(status))
            metrics.HTTP_REQUESTS.labels(*labels).inc(len(seconds))
            metrics.observe_all(metrics.HTTP_REQUEST_DURATION.labels(*labels), seconds)


ANSWERED: web.AppKey[Answered] = web.AppKey("answered", Answered)


async def count_answers(app: web.Application) -> AsyncIterator[None]:
    """Have answers counted; the last are told at the end."""
    app[ANSWERED] = Answered()
    yield
    app[ANSWERED].tell()
