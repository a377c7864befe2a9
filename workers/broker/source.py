"""One partition as a worker sees it: what it holds of it, and when to ask it for more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from workers.broker.delivery import Delivery
from workers.broker.doorbell import Doorbell
from workers.broker.hand import Hand, Taken
from workers.broker.scripts import TROUBLE
from workers.logs import get_logger

log = get_logger("broker")
LINGER_S = 0.002
"""An outcome may wait so long for others to share its call."""
_SUSPECT_WINDOW_S = 0.1
_SUSPECTS_OVER_S = 1.0
_FIRST_BACKOFF_S = 0.05
_LONGEST_BACKOFF_S = 1.0


class Source:
    """Decides from each reply when the next question makes sense. Belongs to who has the intake's lock."""

    def __init__(self, hand: Hand, on_ring: Callable[[Source], None]) -> None:
        self.hand = hand
        self.bell = Doorbell(hand, lambda: on_ring(self))
        self.is_open = True
        """There may be more to take; closed means that the doorbell will tell."""
        self.was_rung = False
        self.due_at = math.inf
        """When the next delayed message is due, if it is on us to wake for it."""
        self.mode = "open"
        """How the last messages were given, see exchange.lua."""
        self.not_before = 0.0
        self.pending_since = 0.0
        """Since when outcomes wait to be handed in; 0: none does."""
        self.backoff_s = 0.0
        """Redis does not take our calls, and we try again after so long; 0: it does."""

    @property
    def runs_alone(self) -> bool:
        """A suspect of it runs, and nothing else may start (unless we cannot learn when that ends)."""
        return self.mode in ("brief", "strict") and not self.backoff_s

    def is_called(self, now: float) -> bool:
        return self.was_rung or now >= self.due_at

    def may_ask(self, now: float, outstanding: int) -> bool:
        """`outstanding`: messages that this process has in hand."""
        if self.backoff_s and now < self.not_before:
            return False
        if self.mode == "strict":
            return outstanding == 0
        return now >= self.not_before or outstanding == 0

    def note_pending(self, since: float) -> None:
        if self.hand.outbox and not self.pending_since:
            self.pending_since = since

    @property
    def is_pending(self) -> bool:
        """Outcomes wait, and Redis would take them."""
        return bool(self.pending_since) and not self.backoff_s

    def is_overdue(self, now: float) -> bool:
        """Outcomes have waited for long enough, a call is to be repeated, or the lease to be taken anew."""
        has_lingered = bool(self.pending_since) and now - self.pending_since >= LINGER_S
        return has_lingered or bool(self.backoff_s) or self.hand.is_fenced

    def looks_again_at(self, now: float) -> float:
        """When there is something to do for it, if nothing happens before."""
        at = max(self.due_at, now + 0.0005)
        if self.is_pending:
            at = min(at, self.pending_since + LINGER_S)
        return min(at, self.not_before) if self.not_before > now else at

    def call_another(self) -> None:
        """There is no room here for what we were called for."""
        self.was_rung, self.due_at = False, math.inf
        self.bell.pass_on()

    def plan(self, taken: Taken, limit: int) -> None:
        """When to ask again, after this reply; `limit`: messages in hand up to which a ring may add one."""
        now = time.monotonic()
        self.mode, self.not_before, self.is_open = taken.mode, 0.0, True
        self.due_at = math.inf if taken.due_in_s is None else now + taken.due_in_s
        if taken.mode in ("brief", "company"):
            # Its time alone; many suspects share a second of it.
            self.not_before = now + min(_SUSPECT_WINDOW_S, _SUSPECTS_OVER_S / max(taken.suspects, 1))
        elif taken.mode == "draining":
            self.not_before = now + _SUSPECT_WINDOW_S
        elif taken.mode == "empty":
            self.is_open = False
            self.bell.listen(limit)

    def failed(self, error: Exception) -> None:
        if not self.backoff_s:
            log.warning("redis does not take our calls, outcomes are held", error=str(error))
        self.backoff_s = min(max(2 * self.backoff_s, _FIRST_BACKOFF_S), _LONGEST_BACKOFF_S)
        self.not_before = time.monotonic() + self.backoff_s

    def answered(self) -> None:
        if self.backoff_s:
            log.info("redis takes our calls again")
            self.backoff_s = self.not_before = 0.0

    @property
    def is_quiet(self) -> bool:
        """Nothing is to be done for it before its bell is heard."""
        return not self.is_open and self.due_at == math.inf and not self.pending_since

    def rung(self) -> None:
        """Nobody waits at the bell any more: there may be something to take."""
        self.was_rung = self.is_open = True

    def taken_at_bell(self) -> Taken | None:
        """What the doorbell brought along; None where the consumer's thread has to ask."""
        heard = self.bell.heard()
        if heard is None:
            return None
        call, reply = heard
        if reply is None or isinstance(reply, Exception):
            self.hand.not_heard(call)
            return None
        taken = self.hand.heard(call, reply)
        return taken if taken is not None and taken.mode else None

    def lose(self) -> list[Delivery]:
        """Our lease was given away: begin anew. Returns what was held."""
        self.mode, self.is_open, self.pending_since = "open", True, 0.0
        return self.hand.lose()

    def leave(self) -> None:
        """Give back whatever is still in hand, and end the lease."""
        try:
            given_back = self.hand.leave()
        except TROUBLE as trouble:
            # The lease runs out, and another worker gives back what we held.
            log.warning("left without saying so", error=str(trouble))
        else:
            if given_back:
                log.info("messages given back at stop", count=given_back)
