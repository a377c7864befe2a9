"""The service against Graph's limits: how much of them a burst uses, calls per message, delay, memory."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.bench.end_to_end import BODY
from tests.journeys.service import Service
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for

_IN_FLIGHT = 4
_LATENCY_MS = 50
_CATEGORIZE = 'then = [ { categorize = "Visto" } ]'
_AND_ARCHIVE = 'then = [ { categorize = "Visto" }, "archive" ]'
_RULE = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
"""


@dataclass(frozen=True)
class Scene:
    """A service that has nothing left to do, and its sandbox."""

    sandbox: SandboxProcess
    service: Service
    names: list[str]

    def deliver(self, name: str, count: int) -> None:
        mail = {"subject": "Factura {n}", "body": BODY, "from": "Ana Ruiz <ana{n}@cliente.example>"}
        self.sandbox.deliver(name, count=count, **mail)

    def calls(self) -> list[dict[str, Any]]:
        """Round trips to Graph since the scene was set."""
        return [call for call in self.sandbox.calls() if not call["batched"]]


@contextmanager
def scene(*, mailboxes: int, workers: int, then: str, latency_ms: int = _LATENCY_MS) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="econeura-bench-") as directory:
        names = [f"buzon{number}@acme.example" for number in range(mailboxes)]
        arguments = [word for name in names for word in ("--mailbox", name)]
        sandbox = SandboxProcess(Path(directory) / "sandbox", "--no-samples", *arguments).start()
        environment = {"ECONEURA_WORKER_PROCESSES": str(workers)}
        service = Service(Path(directory) / "service", sandbox, rules=_RULE + then, environment=environment)
        try:
            service.start()
            wait_for(lambda: len(_state(sandbox)["subscriptions"]) == mailboxes, timeout_s=60)
            scene = Scene(sandbox, service, names)
            for name in names:
                scene.deliver(name, 2)
            service.wait_until_finished(2 * mailboxes)
            sandbox.behave(latency_ms=latency_ms)
            sandbox.admin("DELETE", "calls")
            yield scene
        finally:
            service.stop()
            service.kill()
            sandbox.stop()


def figures() -> Iterator[str]:
    """One line for each."""
    yield burst()
    yield calls_for_each(_CATEGORIZE, "categorized")
    yield calls_for_each(_AND_ARCHIVE, "categorized and moved")
    yield delay()
    yield memory()


def burst(messages: int = 1000, workers: int = 4) -> str:
    """How much of four calls in flight is used from the first call that a burst causes to the last."""
    with scene(mailboxes=1, workers=workers, then=_CATEGORIZE) as on:
        on.deliver(on.names[0], messages)
        on.service.wait_until_finished(messages + 2, timeout_s=300)
        calls = [call for call in on.calls() if call["mailbox"] == on.names[0]]
        box = _state(on.sandbox)["mailboxes"][on.names[0]]
    begin = min(call["at"] - call["duration_ms"] / 1000 for call in calls)
    lasted_s = max(call["at"] for call in calls) - begin
    in_flight_s = sum(call["duration_ms"] for call in calls) / 1000
    return (
        f"burst of {messages} in one mailbox, {workers} worker processes, Graph {_LATENCY_MS} ms: "
        f"{in_flight_s / lasted_s / _IN_FLIGHT:.2f} of four in flight used, "
        f"{len(calls) / lasted_s:.0f} calls/s, at most {box['peakConcurrency']} in flight, "
        f"{box['throttled']} refused"
    )


def calls_for_each(then: str, done: str, bursts: int = 10, size: int = 20) -> str:
    """Calls and round trips for each message that a notification told of."""
    with scene(mailboxes=1, workers=1, then=then) as on:
        for number in range(bursts):
            on.deliver(on.names[0], size)
            on.service.wait_until_finished(2 + (number + 1) * size)
        every = on.sandbox.calls()
    messages = bursts * size
    round_trips = sum(not call["batched"] for call in every)
    calls = sum(call["endpoint"] != "/$batch" for call in every)
    return (
        f"a {done} message, in bursts of {size}: {calls / messages:.2f} Graph calls in "
        f"{round_trips / messages:.2f} round trips"
    )


def delay(mailboxes: int = 20, per_s: int = 20, seconds: int = 60) -> str:
    """From a message's arrival (its notification follows after 20 ms) to the end of its move."""
    with scene(mailboxes=mailboxes, workers=2, then=_AND_ARCHIVE) as on:
        arrived: dict[str, float] = {}
        begin = time.monotonic()
        for number in range(per_s * seconds):
            threading.Event().wait(max(0.0, begin + number / per_s - time.monotonic()))
            mail = {"subject": f"Factura {number}", "body": BODY, "from": f"ana{number}@cliente.example"}
            (delivered,) = on.sandbox.deliver(on.names[number % mailboxes], **mail)
            arrived[delivered["id"]] = time.time()
        on.service.wait_until_finished(2 * mailboxes + len(arrived))
        moved = {
            call["path"].rpartition("/move")[0].rpartition("/")[2]: call["at"]
            for call in on.calls()
            if call["endpoint"].endswith("/move")
        }
    delays = sorted((moved[_escaped(name)] - at_s) * 1000 for name, at_s in arrived.items())
    p99 = delays[int(len(delays) * 0.99)]
    return (
        f"{per_s} messages/s over {mailboxes} mailboxes, Graph {_LATENCY_MS} ms, arrival to archived: "
        f"p50 {statistics.median(delays):.0f} ms, p99 {p99:.0f} ms, most {delays[-1]:.0f} ms"
    )


def memory(messages: int = 50_000) -> str:
    """A worker's most while it takes in a large folder (and works on what it found meanwhile)."""
    with scene(mailboxes=1, workers=1, then=_CATEGORIZE, latency_ms=0) as on:
        (worker,) = on.service.processes("worker")
        before_mb = worker.memory_info().rss / 2**20
        on.sandbox.behave(notification_lost_share=1.0)
        for _ in range(messages // 1000):
            on.deliver(on.names[0], 1000)
        started = time.monotonic()
        on.service.request("POST", f"/mailboxes/{on.names[0]}/sync", {})
        most_mb = 0.0

        def is_taken_in() -> bool:
            nonlocal most_mb
            most_mb = max(most_mb, worker.memory_info().rss / 2**20)
            return on.service.ended() + on.service.unfinished() >= messages + 2

        wait_for(is_taken_in, timeout_s=900)
        passed_s = time.monotonic() - started
    return (
        f"a folder of {messages} messages, taken in in {passed_s:.0f} s: worker at most {most_mb:.0f} MB "
        f"({before_mb:.0f} MB before)"
    )


def _state(sandbox: SandboxProcess) -> dict[str, Any]:
    return dict(sandbox.admin("GET", "state", summary=1))


def _escaped(message_id: str) -> str:
    """An id as it stands in a path."""
    return quote(message_id, safe="")
