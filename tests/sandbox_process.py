"""The sandbox Graph as a process of its own, and its admin routes as plain calls."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

_START_S = 20.0


class SandboxProcess:
    """`python -m workers.sandbox` in a directory; `run` is what it wrote to sandbox.json."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.run: dict[str, Any] = {}

    def start(self) -> SandboxProcess:
        """Start and wait until it is ready; AssertionError if it ends or takes longer than 20 s."""
        run_file = self.directory / "sandbox.json"
        run_file.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workers.sandbox", "--data-dir", str(self.directory), *self._options]
        )
        deadline = time.monotonic() + _START_S
        while not run_file.exists():
            assert self._process.poll() is None, "the sandbox ended at start"
            assert time.monotonic() < deadline, "the sandbox did not start in time"
            time.sleep(0.02)
        self.run = json.loads(run_file.read_text())
        return self

    def stop(self) -> int:
        """SIGTERM and wait; returns the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=10)

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.run["ca_file"])

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """Call an admin route below /sandbox; AssertionError with its text unless it answers 200."""
        address = f"{self.run['admin_url']}/{path}" + (f"?{urlencode(query)}" if query else "")
        request = urllib.request.Request(
            address,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": f"Bearer {self.run['admin_token']}",
                "Content-Type": "application/json",
            },
        )
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=self.tls), _Patient())
        with opener.open(request, timeout=30) as reply:
            text = reply.read()
            assert reply.status == 200, f"{method} {path}: {reply.status} {text.decode()}"
            return json.loads(text)

    def add_mailbox(self, address: str, **tenant: str) -> str:
        """A new mailbox in the run's tenant (or `tenant_id=`)."""
        self.admin("POST", "mailboxes", {"addresses": [address], **tenant})
        return address

    def deliver(self, mailbox: str, **mail: Any) -> list[dict[str, Any]]:
        """Deliver mail by the fields of workers.sandbox.deliveries: `subject`, `from`, `count`, `eml` …"""
        return list(self.admin("POST", "deliver", {"mailbox": mailbox, **mail})["delivered"])

    def folder(self, mailbox: str, name: str, *, bodies: bool = False) -> list[dict[str, Any]]:
        """The messages of a folder by its well-known name."""
        state = self.admin("GET", "state", mailbox=mailbox, folder=name, bodies=int(bodies))
        return list(state["mailboxes"][mailbox]["folders"][name]["messages"])

    def sent(self, mailbox: str) -> list[dict[str, Any]]:
        """All that a mailbox sent, with bodies."""
        return list(self.admin("GET", "state", mailbox=mailbox, bodies=1)["sent"])

    def calls(self, **query: Any) -> list[dict[str, Any]]:
        """The call journal: `mailbox=`, `endpoint=`, `after=`."""
        return list(self.admin("GET", "calls", **query)["calls"])

    def fault(self, kind: str, **rule: Any) -> int:
        """Ask for a fault; returns its number."""
        return int(self.admin("POST", "faults", {"kind": kind, **rule})["number"])

    def wait_until(self, fact: Callable[[], object], *, timeout_s: float = 10.0) -> None:
        """Wait until something is true of the sandbox; AssertionError."""
        deadline = time.monotonic() + timeout_s
        while not fact():
            assert time.monotonic() < deadline, f"not true within {timeout_s} s"
            time.sleep(0.02)

    def behave(self, **changes: Any) -> None:
        """Change the behaviour, such as `latency_ms=50`."""
        self.admin("POST", "behaviour", changes)


class _Patient(urllib.request.HTTPErrorProcessor):
    """Hands error answers on instead of raising: the caller shows their text."""

    def https_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response


@contextmanager
def running_sandbox(directory: Path, *options: str) -> Iterator[SandboxProcess]:
    """A sandbox for the length of a block."""
    sandbox = SandboxProcess(directory, *options).start()
    try:
        yield sandbox
    finally:
        sandbox.stop()
