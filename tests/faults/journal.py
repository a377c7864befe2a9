"""What the workers did, in a file that outlives them: one line for each start and end of a message."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """`at_s`: CLOCK_MONOTONIC, the same for all processes of a machine."""

    what: str
    kind: str
    number: int
    pid: int
    at_s: float


class Journal:
    """Appended to by many processes: a line is one write."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, kind: str, number: int) -> None:
        os.write(self._file, f"{what} {kind} {number} {os.getpid()} {time.monotonic():.6f}\n".encode())

    def read(self) -> list[Line]:
        lines = []
        for text in self.path.read_text(encoding="ascii").splitlines():
            what, kind, number, pid, at_s = text.split()
            lines.append(Line(what, kind, int(number), int(pid), float(at_s)))
        return lines

    def close(self) -> None:
        os.close(self._file)
