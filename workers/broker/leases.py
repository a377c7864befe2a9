"""Leases: how others know that a worker lives, and who gives back what a dead one held."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from workers import metrics
from workers.broker.keys import Keys
from workers.broker.scripts import LEASE, RELEASE, TROUBLE, Client
from workers.logs import get_logger

if TYPE_CHECKING:
    from workers.broker.hand import Hand

log = get_logger("broker")
LEASE_S = 12.0
RENEW_EVERY_S = 4.0
_RETRY_S = 0.5


def take(client: Client, keys: Keys, lease: str) -> None:
    """Begin a lease; raises what redis-py raises."""
    LEASE.run(client, (*keys.base, keys.of_worker(lease)[1]), (lease, int(LEASE_S * 1000), 1))


def renew(client: Client, keys: Keys, lease: str) -> list[str] | None:
    """Renew a lease; returns the leases that ran out, None if ours was ended by another."""
    reply = LEASE.run(client, (*keys.base, keys.of_worker(lease)[1]), (lease, int(LEASE_S * 1000), 0))
    return None if reply[0] == b"fenced" else [expired.decode() for expired in reply[1:]]


def release(client: Client, keys: Keys, lease: str, why: Literal["dead", "expired", "leaving"]) -> int:
    """End a lease and give back what it held; returns how many messages, -1 if it had not run out."""
    given_back: int = RELEASE.run(client, (*keys.base, *keys.of_worker(lease)), (lease, why))
    if why != "leaving" and given_back >= 0:
        metrics.ERRORS.labels("worker_lost", "broker", "error").inc()
        log.warning("a worker is gone, its messages were given back", lease=lease, why=why, count=given_back)
    return given_back


def declare_dead(client: Client, namespace: str, worker_id: str, *, partitions: int = 1) -> int:
    """Give back at once what a worker held whose process has ended, as its supervisor knows for sure.

    Returns the number of messages given back; raises what redis-py raises. Repeating it is harmless.
    """
    given_back = 0
    for partition in range(partitions):
        keys = Keys(namespace, partition, partitions)
        for lease in (member.decode() for member in client.zrange(keys["leases"], 0, -1)):
            if lease.rpartition(".")[0] == worker_id:
                given_back += release(client, keys, lease, "dead")
    return given_back


class LeaseThread(threading.Thread):
    """Renews the leases of this process, and gives back what workers held whose leases ran out."""

    def __init__(self, hands: Sequence[Hand], on_lost: threading.Event) -> None:
        super().__init__(name="leases", daemon=True)
        self._hands = hands
        self._on_lost = on_lost
        self._stopped = threading.Event()

    def run(self) -> None:
        wait_s, is_away = RENEW_EVERY_S, False
        while not self._stopped.wait(wait_s):
            wait_s = RENEW_EVERY_S
            for hand in self._hands:
                try:
                    self._renew(hand)
                except TROUBLE as away:
                    wait_s = _RETRY_S
                    if not is_away:
                        log.warning("lease not renewed, trying again", lease=hand.lease, error=str(away))
            is_away = wait_s == _RETRY_S

    def stop(self) -> None:
        self._stopped.set()

    def _renew(self, hand: Hand) -> None:
        lease, started = hand.lease, time.monotonic()
        if not lease:
            return
        expired = renew(hand.client, hand.keys, lease)
        if expired is None:
            if hand.lease == lease:
                # The intake deals with it, under its lock.
                hand.is_fenced = True
                self._on_lost.set()
            return
        if hand.lease == lease:
            hand.valid_until = started + LEASE_S
        for other in expired:
            release(hand.client, hand.keys, other, "expired")
