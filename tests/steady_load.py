"""Messages handed in at a steady rate, however that is answered: an open loop, as the world is.

As a program (`python -m tests.steady_load URL PER_SECOND BODIES`): each line of BODIES is the body of a POST
/emails/process, KEY in the environment is the API key, PATIENT that who is told to come again does. Half of
the requests share connections that are kept alive, each of the others has one of its own. Every answer is a
JSON line on standard output.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from tests.waiting import wait_for

_KEPT_ALIVE = 32
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Answered:
    """One request and its answer: status 0 where the connection broke. `at_s` is the wall clock's."""

    number: int
    at_s: float
    took_s: float
    status: int
    code: str = ""
    job_id: str = ""
    retry_after: str = ""
    problem: str = ""

    @property
    def is_clean_refusal(self) -> bool:
        return self.status == 503 and self.code == "queue_unavailable" and self.retry_after.isdigit()


class SteadyLoad:
    """The program above for the length of a block."""

    def __init__(
        self,
        url: str,
        bodies: Sequence[Mapping[str, Any]],
        per_second: float,
        directory: Path,
        *,
        key: str = "",
        patient: bool = False,
    ) -> None:
        self._file = directory / "answers.jsonl"
        self._seen: list[Answered] = []
        given = directory / "bodies.jsonl"
        given.write_text("".join(json.dumps(body) + "\n" for body in bodies))
        self._command = [sys.executable, "-m", "tests.steady_load", url, str(per_second), str(given)]
        self._env = {**os.environ, "KEY": key, "PATIENT": "1" if patient else ""}

    def __enter__(self) -> Self:
        with self._file.open("wb") as output:
            self._process = subprocess.Popen(self._command, stdout=output, env=self._env)
        self._output = self._file.open("rb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()

    def answers(self) -> list[Answered]:
        """All answers so far, in the order in which they came."""
        while (line := self._output.readline()).endswith(b"\n"):
            self._seen.append(Answered(**json.loads(line)))
        self._output.seek(self._output.tell() - len(line))
        return self._seen

    def wait_for_answers(self, more: int) -> None:
        """Wait until so many more have been answered."""
        wanted = len(self.answers()) + more
        wait_for(lambda: len(self.answers()) >= wanted, timeout_s=120, what=f"{more} answers")

    def finish(self, timeout_s: float = 300) -> list[Answered]:
        """All answers, once everything was sent and answered."""
        assert self._process.wait(timeout_s) == 0
        return self.answers()


async def _send_all(url: str, per_second: float, bodies: Sequence[str]) -> None:
    loop = asyncio.get_running_loop()
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("KEY"):
        headers["Authorization"] = f"Bearer {key}"
    limits = ClientTimeout(total=_PATIENCE_S)
    kept_alive = ClientSession(connector=TCPConnector(limit=_KEPT_ALIVE), headers=headers, timeout=limits)
    one_each = ClientSession(
        connector=TCPConnector(limit=0, force_close=True), headers=headers, timeout=limits
    )
    async with kept_alive, one_each, asyncio.TaskGroup() as tasks:
        began = loop.time()
        for number, body in enumerate(bodies):
            await asyncio.sleep(began + number / per_second - loop.time())
            session = one_each if number % 2 else kept_alive
            tasks.create_task(_send(session, f"{url}/emails/process", number, body))


async def _send(session: ClientSession, url: str, number: int, body: str) -> None:
    until = time.time() + _PATIENCE_S
    while True:
        answered = await _answer(session, url, number, body)
        sys.stdout.write(json.dumps(asdict(answered)) + "\n")
        sys.stdout.flush()
        if not (os.environ.get("PATIENT") and answered.is_clean_refusal and time.time() < until):
            return
        await asyncio.sleep(int(answered.retry_after))


async def _answer(session: ClientSession, url: str, number: int, body: str) -> Answered:
    at_s = time.time()
    try:
        async with session.post(url, data=body) as reply:
            content = await reply.json()
            took_s = time.time() - at_s
            return Answered(
                number,
                at_s,
                took_s,
                reply.status,
                content.get("code", ""),
                (content["data"] or {}).get("jobId", ""),
                reply.headers.get("Retry-After", ""),
            )
    except (ClientError, TimeoutError, OSError) as broken:
        return Answered(number, at_s, time.time() - at_s, 0, problem=repr(broken))


def main(url: str, per_second: str, bodies: str) -> None:
    lines = Path(bodies).read_text().splitlines()
    asyncio.run(_send_all(url, float(per_second), lines))


if __name__ == "__main__":
    main(*sys.argv[1:4])
