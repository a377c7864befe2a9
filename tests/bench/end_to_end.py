"""The whole service against the sandbox: messages per second, calls and commands per message, memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.journeys.service import Service
from tests.sandbox_process import SandboxProcess

_RULES = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
then = [ { categorize = "Visto" } ]
"""
BODY = (
    "Buenos días:\n\nLes adjuntamos la factura 2026/117 por importe de 1.210,00 €, con vencimiento el "
    "30/11/2026. Pueden pagarla por transferencia a la cuenta ES91 2100 0418 4502 0005 1332.\n\n"
    "Un saludo,\nAna"
)
# (mailboxes, Graph latency in ms, messages)
_CASES = ((1, 0, 400), (20, 0, 1000), (1, 50, 200), (20, 50, 1000))


def figures() -> Iterator[str]:
    """One line for each case."""
    for mailboxes, latency_ms, messages in _CASES:
        with tempfile.TemporaryDirectory(prefix="econeura-bench-") as directory:
            yield _measured(Path(directory), mailboxes, latency_ms, messages)


def _measured(directory: Path, mailboxes: int, latency_ms: int, messages: int) -> str:
    names = [f"buzon{number}@acme.example" for number in range(mailboxes)]
    arguments = [word for name in names for word in ("--mailbox", name)]
    sandbox = SandboxProcess(
        directory / "sandbox", "--no-samples", "--latency-ms", str(latency_ms), *arguments
    ).start()
    service = Service(directory / "service", sandbox, rules=_RULES)
    try:
        service.start()
        _run(service, sandbox, names, len(names))
        sandbox.admin("DELETE", "calls")
        with service.redis() as client:
            commands_before = client.info("stats")["total_commands_processed"]
        seconds = _run(service, sandbox, names, messages)
        with service.redis() as client:
            commands = client.info("stats")["total_commands_processed"] - commands_before
        calls = sum(line["count"] for line in sandbox.admin("GET", "calls", summary=1)["counts"])
        memory = {
            name: sum(process.memory_info().rss for process in service.processes(name)) / 2**20
            for name in ("api", "worker", "scheduler")
        }
        sizes = ", ".join(f"{name} {size:.0f} MB" for name, size in memory.items())
        return (
            f"end to end, {mailboxes:>2} mailboxes, Graph {latency_ms:>2} ms: "
            f"{messages / seconds:6.1f} messages/s, "
            f"{calls / messages:.2f} Graph calls and {commands / messages:.1f} Redis commands each, {sizes}"
        )
    finally:
        service.stop()
        service.kill()
        sandbox.stop()


def _run(service: Service, sandbox: SandboxProcess, names: list[str], messages: int) -> float:
    """Deliver messages evenly and wait until all have ended; returns the seconds from first to last."""
    before = len(service.journal())
    share = messages // len(names)
    started = time.monotonic()
    for name in names:
        mail = {"subject": "Factura {n}", "body": BODY, "from": "Ana Ruiz <ana{n}@cliente.example>"}
        sandbox.deliver(name, count=share, **mail)
    service.wait_until_finished(before + share * len(names), timeout_s=300)
    return time.monotonic() - started
