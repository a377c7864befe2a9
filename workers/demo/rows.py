"""What the demo shows of a message, from its line in the journal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

HEADINGS = ("time", "subject", "category", "conf.", "urgency", "what was done", "ms")
_DONE = {
    "categorize": "categorized",
    "respond": "answered",
    "forward": "forwarded",
    "archive": "archived",
}
_KINDS = {
    "done": "{}",
    "skipped": "not {}",
    "observed": "would be {}",
    "waiting": "{} (draft for a person)",
    "dead": "NOT {}",
}


@dataclass(frozen=True)
class Row:
    """One message that came to its end."""

    message_id: str
    time: str
    subject: str
    category: str
    confidence: str
    urgency: str
    done: str
    ms: int
    state: str
    kinds: tuple[str, ...] = ()
    """What was done without its particulars, for counting."""

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.time,
            self.subject,
            self.category,
            self.confidence,
            self.urgency,
            self.done,
            str(self.ms),
        )


def row_of(entry_id: str, line: Mapping[str, Any]) -> Row:
    """The row of a journal entry; entry ids begin with the time in ms."""
    ended = datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000).astimezone()
    confidence = line.get("confidence")
    return Row(
        message_id=line["messageId"],
        time=ended.strftime("%H:%M:%S"),
        subject=printable(line.get("subject") or "(no subject)"),
        category=line.get("category") or "-",
        confidence="-"
        if confidence is None
        else f"{confidence:.2f}" + ("?" if line.get("abstained") else ""),
        urgency=line.get("urgency") or "-",
        done=printable(_what_was_done(line)),
        ms=int(line.get("ms") or 0),
        state=line["state"],
        kinds=tuple(_kind(action) for action in line.get("actions", ())),
    )


def printable(text: str) -> str:
    """Text on one line, without what could command a terminal or turn the line around."""
    return " ".join(
        "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text).split()
    )


def _what_was_done(line: Mapping[str, Any]) -> str:
    if line["state"] != "done":
        return f"{line['state']}: {line.get('reason') or 'no reason given'}"
    return ", ".join(_told(action) for action in line.get("actions", ())) or "nothing to do"


def _told(action: Mapping[str, str]) -> str:
    if action["status"] == "done" and action["type"] == "categorize":
        return f"[{action['detail']}]"
    return f"{_kind(action)} ({action['detail']})" if action["status"] == "skipped" else _kind(action)


def _kind(action: Mapping[str, str]) -> str:
    done = _DONE.get(action["type"], action["type"])
    return _KINDS.get(action["status"], f"{action['status']}: {{}}").format(done)
