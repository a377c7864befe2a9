"""The sandbox as a process beside the demo, and its admin routes."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from workers import lifeline
from workers.errors import SettingsError, TemporaryError

_READY_S = 60.0
_CALL_S = 30.0
_STOP_S = 5.0
_POLL_S = 0.01
# Mail that the sandbox holds elsewhere was written by us, not received.
_NOT_RECEIVED = frozenset({"drafts", "sentitems", "outbox"})


@dataclass(frozen=True)
class SandboxRun:
    """Addresses and secrets of a running sandbox, as it wrote them to sandbox.json."""

    url: str
    login_url: str
    ca_file: str
    admin_url: str
    admin_token: str
    tenant_id: str
    client_id: str
    client_secret: str
    mailboxes: tuple[str, ...]

    async def received(self) -> dict[str, str]:
        """Immutable id -> mailbox of every message delivered; raises TemporaryError if it does not answer."""
        state = await asyncio.to_thread(self._get, "/state")
        return {
            message["id"]: mailbox
            for mailbox, held in state["mailboxes"].items()
            for name, folder in held["folders"].items()
            if name not in _NOT_RECEIVED
            for message in folder["messages"]
        }

    def _get(self, path: str) -> Any:
        address = urlsplit(self.admin_url)
        trust = ssl.create_default_context(cafile=self.ca_file)
        connection = http.client.HTTPSConnection(address.netloc, timeout=_CALL_S, context=trust)
        try:
            headers = {"Authorization": f"Bearer {self.admin_token}"}
            connection.request("GET", address.path + path, headers=headers)
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException) as problem:
            raise TemporaryError(f"the sandbox does not answer: {problem}") from problem
        finally:
            connection.close()
        if reply.status != http.HTTPStatus.OK:
            raise TemporaryError(f"the sandbox answers {reply.status} to {path}")
        return json.loads(content)


class SandboxProcess:
    """A sandbox that is starting or running."""

    def __init__(self, process: subprocess.Popen[bytes], run_file: Path) -> None:
        self._process = process
        self._run_file = run_file

    async def ready(self) -> SandboxRun:
        """Wait until it serves; raises SettingsError if it ends instead (its own words are in the log)."""
        try:
            async with asyncio.timeout(_READY_S):
                while not self._run_file.exists():
                    if self._process.poll() is not None:
                        raise SettingsError("the sandbox did not start: see its message in the log")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise SettingsError(f"the sandbox did not start within {_READY_S:.0f} s") from None
        told = json.loads(self._run_file.read_text(encoding="utf-8"))
        fields = {name: told[name] for name in SandboxRun.__dataclass_fields__}
        return SandboxRun(**{**fields, "mailboxes": tuple(told["mailboxes"])})


@contextmanager
def sandbox_process(
    data_dir: Path, *, mail: Sequence[Path], latency_ms: float, chaos: bool, output: IO[bytes] | None
) -> Iterator[SandboxProcess]:
    """Start a sandbox with the sample mailbox, or the mail at the given paths; it ends with the block."""
    run_file = data_dir / "sandbox.json"
    run_file.unlink(missing_ok=True)
    words = [sys.executable, "-P", "-m", "workers.sandbox", "--data-dir", str(data_dir)]
    # Exchange's 30 sent mails a minute would be all that one sees of a large mailbox.
    words += ["--latency-ms", str(latency_ms), "--sends-per-minute", "0"]
    for path in mail:
        words += ["--mail", str(path)]
    if chaos:
        words.append("--chaos")
    process = lifeline.start(words, output=output)
    try:
        yield SandboxProcess(process, run_file)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
