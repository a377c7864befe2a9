"""The doorbell: an idle worker sleeps in Redis until somebody enqueues."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from redis import RedisCluster

from workers.broker.hand import Call, Hand
from workers.broker.scripts import AWAY, EXCHANGE, TROUBLE
from workers.logs import get_logger

log = get_logger("broker")
_REFUSED_S = 1.0
_AFTER_YOU_S = 0.0001
LONGEST_SLEEP_S = 5.0
"""A ring can be lost with the connection or the worker that heard it: look again after so long."""


class Doorbell(threading.Thread):
    """Waits on one partition's bell when asked to, and calls `on_ring` (also after the time has passed).

    The exchange that takes a message is sent along with the wait: Redis applies it as soon as that ends, and
    the way there and back is saved.
    """

    def __init__(self, hand: Hand, on_ring: Callable[[], None]) -> None:
        super().__init__(name="doorbell", daemon=True)
        self._bell = hand.keys["bell"]
        self._client = hand.client
        # A cluster's client sends no blocking command along with others.
        self._sends_calls = not isinstance(hand.client, RedisCluster)
        self._hand = hand
        self._on_ring = on_ring
        self._asked = threading.Semaphore(0)
        self._stopped = threading.Event()
        self._call: Call | None = None
        self._command: tuple[Any, ...] = ()
        self._heard: tuple[Call, Any] | None = None
        self.is_listening = False

    def listen(self, limit: int) -> None:
        """Wait for a ring, and take a message then, unless `limit` are in hand; not while it does already."""
        if self.is_listening or self._heard is not None:
            return
        self.is_listening = True
        if self._sends_calls:
            self._call = self._hand.call_at_bell(limit)
            self._command = EXCHANGE.command(self._hand.script_keys, self._call.args)
        self._asked.release()

    def heard(self) -> tuple[Call, Any] | None:
        """The call that waited at the bell, once, and the reply to it (None, or an error: there was none)."""
        heard, self._heard = self._heard, None
        return heard

    def pass_on(self) -> None:
        """Ring for another worker: this one has no room for what it was called for."""
        try:
            self._client.rpush(self._bell, "1")
        except TROUBLE as trouble:
            # Who looks after some seconds finds it, too.
            log.warning("ring not passed on", error=str(trouble))

    def stop(self) -> None:
        self._stopped.set()
        self._asked.release()

    def run(self) -> None:
        while True:
            self._asked.acquire()
            if self._stopped.is_set():
                return
            call, reply = self._call, None
            try:
                reply = self._wait()
            except AWAY as away:
                log.warning("doorbell not heard", error=str(away))
            except TROUBLE as wrong:
                log.error("doorbell refused", error=str(wrong))
                self._stopped.wait(_REFUSED_S)
            if call is not None:
                self._heard = call, reply
            self.is_listening = False
            self._on_ring()
            # The thread that was woken goes first: we would keep it from running until we wait again.
            time.sleep(_AFTER_YOU_S)

    def _wait(self) -> Any:
        wait = ("BLPOP", self._bell, LONGEST_SLEEP_S)
        if self._call is None:
            return self._client.execute_command(*wait)
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command(*wait)
        pipeline.execute_command(*self._command)
        rung, reply = pipeline.execute(raise_on_error=False)
        if isinstance(rung, Exception):
            raise rung
        return reply
