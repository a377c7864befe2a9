"""What is taken in: nothing that Redis or the queue could not keep, and no more at once than can be held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from api.rates import PROBES
from api.refusals import Refusal
from api.routes import Route
from workers.settings import Settings

_RETRY_AFTER = {"Retry-After": "1"}
_BUSY = ("busy", "too many requests are in hand: try again")
_AWAY = ("queue_unavailable", "redis is away, so nothing can be stored: try again")
_REFUSING = ("queue_unavailable", "redis takes nothing now: try again")
_FULL = ("queue_full", "too many messages wait already: try again later")


class Shed(Refusal):
    """503 before anything was done; neither a bug nor news to the log."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(503, code, message, headers=_RETRY_AFTER)


class Load:
    """Requests in hand, and the routes that are closed while Redis or the queue cannot bear them."""

    def __init__(self, routes: Sequence[Route], settings: Settings) -> None:
        self.in_hand = 0
        self._most_in_hand = settings.api_requests_in_hand
        self._closed: Mapping[tuple[str, str], tuple[str, str]] = {}
        using = [route for route in routes if route.uses_redis]
        self._using = [(route.method, route.path) for route in using]
        self._submitting = [(route.method, route.path) for route in using if route.needs == "submit"]
        self._storing = [*self._submitting, *(name for name in self._using if name[1] == "/listen")]

    def admit(self, method: str, route: str) -> None:
        """Raise Shed for a request that is not to be taken in. `in_hand` counts it already."""
        if self._closed and (reason := self._closed.get((method, route))) is not None:
            raise Shed(*reason)
        if self.in_hand > self._most_in_hand and route not in PROBES:
            raise Shed(*_BUSY)

    @property
    def is_away(self) -> bool:
        """Whether Redis cannot be reached."""
        return len(self._closed) == len(self._using)

    def open(self) -> None:
        """Take in all that comes."""
        self._close([], _FULL)

    def close_for(self, cause: str) -> None:
        """Take in nothing that needs what is missing: "away", "refusing" or "full"."""
        match cause:
            case "away":
                self._close(self._using, _AWAY)
            case "refusing":
                self._close(self._storing, _REFUSING)
            case _:
                # Notifications pass: a mailbox is queued once however many come.
                self._close(self._submitting, _FULL)

    def _close(self, routes: Sequence[tuple[str, str]], reason: tuple[str, str]) -> None:
        self._closed = dict.fromkeys(routes, reason)


LOAD: web.AppKey[Load] = web.AppKey("load", Load)
