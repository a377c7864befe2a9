"""The doorbell: an idle worker sleeps in Redis until somebody enqueues."""

from __future__ import annotations

import threading
from collections.abc import Callable

from workers.broker.keys import Keys
from workers.broker.scripts import AWAY, TROUBLE, Client
from workers.logs import get_logger

log = get_logger("broker")
_REFUSED_S = 1.0
LONGEST_SLEEP_S = 5.0
"""A ring can be lost with the connection or the worker that heard it: look again after so long."""


class Doorbell(threading.Thread):
    """Waits on one partition's bell when asked to, and calls `on_ring` (also after the time has passed)."""

    def __init__(self, keys: Keys, client: Client, on_ring: Callable[[], None]) -> None:
        super().__init__(name="doorbell", daemon=True)
        self._bell = keys["bell"]
        self._client = client
        self._on_ring = on_ring
        self._asked = threading.Semaphore(0)
        self._stopped = threading.Event()
        self.is_listening = False

    def listen(self) -> None:
        """Wait for a ring; without effect while it does so already."""
        if self.is_listening:
            return
        self.is_listening = True
        self._asked.release()

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
            try:
                self._client.blpop(self._bell, timeout=LONGEST_SLEEP_S)
            except AWAY as away:
                log.warning("doorbell not heard", error=str(away))
            except TROUBLE as wrong:
                log.error("doorbell refused", error=str(wrong))
                self._stopped.wait(_REFUSED_S)
            self.is_listening = False
            self._on_ring()
