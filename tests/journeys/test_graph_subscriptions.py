"""Subscriptions that are removed, end or cannot be had are healed without a person, and mail goes on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.graph_scenes import addresses, begin_look_by_timer, mailbox_arguments
from tests.journeys.service import ORGANIZATION, Service
from tests.redis_process import free_port
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for

RULES = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
then = [ { categorize = "Visto" } ]
"""
(BOX,) = addresses(1)


class PublicAddress:
    """Where Graph reaches us: a port that leads to the service, or, while it is closed, to nobody."""

    def __init__(self) -> None:
        self.port = free_port()
        self.target = 0
        self._listener: socket.socket | None = None
        self._callers: list[socket.socket] = []

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Nobody comes in any more, and who was in is put out."""
        for door in (self._listener, *self._callers):
            if door is not None:
                with suppress(OSError):
                    door.shutdown(socket.SHUT_RDWR)
        if self._listener is not None:
            self._listener.close()
        self._listener, self._callers = None, []

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            self._callers.append(caller)
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with closing(caller), socket.create_connection(("127.0.0.1", self.target)) as service:
            there = threading.Thread(target=_pass_on, args=(caller, service), daemon=True)
            there.start()
            _pass_on(service, caller)
            there.join()


def _pass_on(giver: socket.socket, taker: socket.socket) -> None:
    with suppress(OSError):
        while data := giver.recv(65536):
            taker.sendall(data)
        taker.shutdown(socket.SHUT_WR)


@pytest.fixture
def public() -> Iterator[PublicAddress]:
    address = PublicAddress()
    yield address
    address.close()


def at_graph(sandbox: SandboxProcess) -> list[dict[str, Any]]:
    return list(sandbox.admin("GET", "state", summary=1)["subscriptions"])


def answered(sandbox: SandboxProcess, method: str) -> list[dict[str, Any]]:
    """Calls on subscriptions that succeeded."""
    return [
        call
        for call in sandbox.calls()
        if "/subscriptions" in call["path"] and call["method"] == method and call["status"] < 300
    ]


def arrives(sandbox: SandboxProcess, service: Service, seen: int) -> int:
    """Deliver one more mail and wait until it is done; returns how many there were by then."""
    sandbox.deliver(BOX, subject=f"Nota {seen + 1}", body="Hola")
    service.wait_until_finished(seen + 1, timeout_s=20)
    return seen + 1


def health(service: Service) -> dict[str, Any]:
    answer = service.request("GET", "/health")
    return dict(answer.data["services"]["graph"]["organizations"][ORGANIZATION])


def test_whatever_happens_to_a_subscription_is_healed_without_a_person(
    start_sandbox: StartSandbox, start_service: StartService, public: PublicAddress
) -> None:
    sandbox = start_sandbox(*mailbox_arguments([BOX]))
    sandbox.behave(notification_backoff_s=0.1, notification_give_up_s=0.5)
    # From the start nobody reaches us: no subscription is to be had, the timer brings the mail in.
    environment = {"ECONEURA_PUBLIC_URL": f"http://127.0.0.1:{public.port}"}
    service = start_service(sandbox, rules=RULES, environment=environment)
    public.target = service.port
    sandbox.deliver(BOX, subject="Nota 1", body="Hola")
    wait_for(lambda: health(service)["status"] == "degraded", what="the missing subscription to show")
    service.wait_until_finished(1)
    assert at_graph(sandbox) == []

    public.open()
    begin_look_by_timer(service)
    wait_for(lambda: at_graph(sandbox), what="the next try to find us")
    seen = arrives(sandbox, service, 1)
    wait_for(lambda: health(service)["status"] == "healthy", what="its return to show")

    # Graph says that it removed one, or that it waits to be reauthorized: answered at once, by the event.
    for event, answer in (("subscriptionRemoved", "POST"), ("reauthorizationRequired", "PATCH")):
        before = len(answered(sandbox, answer))
        sandbox.admin("POST", "lifecycle", {"event": event})
        wait_for(lambda: len(answered(sandbox, answer)) > before, what=f"{event} to be answered")  # noqa: B023
        seen = arrives(sandbox, service, seen)

    # It ends and nobody says so, or it is removed by hand while we cannot be reached.
    for event in ("expired", "subscriptionRemoved"):
        public.close()
        sandbox.admin("POST", "lifecycle", {"event": event})
        sandbox.deliver(BOX, subject=f"Nota {seen + 1}", body="Hola")
        begin_look_by_timer(service)
        service.wait_until_finished(seen + 1)
        seen += 1
        assert at_graph(sandbox) == []
        public.open()
        wait_for(lambda: at_graph(sandbox), what="the next try to find us")
        seen = arrives(sandbox, service, seen)
    assert service.stop() == 0
