"""One line of `econeura check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What was found about a matter: fine, worth knowing, or a problem with what to do about it."""

    state: Literal["ok", "note", "problem"]
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.state:<8} {self.subject}: {self.text}"


def ok(subject: str, text: str) -> Finding:
    return Finding("ok", subject, text)


def note(subject: str, text: str) -> Finding:
    return Finding("note", subject, text)


def problem(subject: str, text: str) -> Finding:
    return Finding("problem", subject, text)
