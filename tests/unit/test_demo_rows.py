"""What the demo shows of a message, and says at the end."""

from __future__ import annotations

from typing import Any

import pytest

from workers.demo.rows import printable, row_of
from workers.demo.summary import summary, where_to_look


def line(**changes: Any) -> dict[str, Any]:
    usual = {
        "messageId": "AAMk/1+=",
        "subject": "Factura 42",
        "state": "done",
        "reason": "",
        "category": "finance",
        "confidence": 0.913,
        "abstained": False,
        "urgency": "low",
        "actions": [],
        "ms": 12,
    }
    return usual | changes


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        (
            {"actions": [{"type": "categorize", "status": "done", "detail": "Finanzas"}]},
            "[Finanzas]",
        ),
        ({"actions": [{"type": "respond", "status": "done", "detail": "x"}]}, "answered"),
        (
            {"actions": [{"type": "respond", "status": "skipped", "detail": "no_reply"}]},
            "not answered (no_reply)",
        ),
        (
            {"actions": [{"type": "forward", "status": "waiting", "detail": "x"}]},
            "forwarded (draft for a person)",
        ),
        ({"actions": [{"type": "archive", "status": "observed", "detail": "x"}]}, "would be archived"),
        ({}, "nothing to do"),
        ({"state": "skipped", "reason": "bounce"}, "skipped: bounce"),
        ({"state": "dead", "reason": "access_denied"}, "dead: access_denied"),
    ],
)
def test_what_was_done_reads_like_a_sentence(changes: dict[str, Any], shown: str) -> None:
    assert row_of("1700000000000-0", line(**changes)).done == shown


def test_a_guess_below_the_floor_is_marked() -> None:
    assert row_of("1700000000000-0", line(confidence=0.4, abstained=True)).confidence == "0.40?"


def test_a_message_skipped_before_analysis_has_a_row() -> None:
    told = {"messageId": "m", "subject": "", "state": "skipped", "reason": "draft"}
    row = row_of("1700000000000-0", told)
    assert row.cells[1:6] == ("(no subject)", "-", "-", "-", "skipped: draft")


def test_a_subject_cannot_command_the_terminal() -> None:
    assert printable("win\x1b[2J\r\n\x9b31m now\u202e!\x00") == "win [2J 31m now !"


def test_the_summary_adds_up_and_names_what_went_wrong() -> None:
    rows = [
        row_of("1700000000000-0", line(messageId="a")),
        row_of("1700000000000-1", line(messageId="b", state="dead", reason="poison")),
    ]
    text = summary(rows, {"c"}, took_s=2.0)
    assert "2 messages in 2.0 s" in text
    assert "1 done, 1 dead" in text
    assert "2 finance" in text
    assert "DEAD      b  Factura 42: dead: poison" in text
    assert "NOT ENDED c" in text


def test_the_calls_to_try_are_about_a_real_message() -> None:
    row = row_of("1700000000000-0", line())
    text = where_to_look("http://127.0.0.1:3001", row, run_file="/x/sandbox.json")
    assert "/emails/AAMk%2F1%2B%3D?organizationId=demo" in text
    assert text.count("  curl ") == 3
