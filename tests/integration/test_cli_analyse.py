"""`econeura analyse`: mails in, JSON lines out, no service needed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.econeura import PROGRAM, econeura, environment

_INVOICE = {"id": "7", "subject": "Factura 42", "body": "Adjunto la factura 42 por importe de 1.234,56 EUR."}
_FIELDS = {
    "id", "category", "confidence", "abstained", "urgency", "sentiment", "language", "is_auto_reply",
    "entities", "evidence", "ms",
}  # fmt: skip


def test_json_lines_give_json_lines_in_order() -> None:
    rows = [_INVOICE, {"id": "8", "subject": "Hi", "body": "<p>See you on Friday?</p>", "body_type": "html"}]
    said = econeura("analyse", "-", given="".join(json.dumps(row) + "\n" for row in rows))
    assert said.returncode == 0, said.stderr
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert [line["id"] for line in lines] == ["7", "8"]
    assert all(set(line) >= _FIELDS for line in lines)
    assert (lines[0]["category"], lines[0]["language"]) == ("finance", "es")


def test_files_and_unreadable_ones_keep_their_places(tmp_path: Path) -> None:
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"From: ana@cliente.example\r\nSubject: Factura 42\r\n\r\nAdjunto la factura.\r\n")
    said = econeura("analyse", tmp_path / "gone.eml", mail)
    assert said.returncode == 1
    first, second = (json.loads(line) for line in said.stdout.splitlines())
    assert first["id"] == "gone.eml"
    assert "error" in first
    assert (second["id"], second["category"]) == ("mail.eml", "finance")


def test_a_line_comes_out_before_the_next_goes_in() -> None:
    with subprocess.Popen(
        [*PROGRAM, "analyse"], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(_INVOICE).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == "7"
        process.stdin.close()
    assert process.returncode == 0


def test_a_reader_that_has_enough_is_no_error() -> None:
    given = (json.dumps(_INVOICE) + "\n").encode() * 2000
    analyse = subprocess.Popen(
        [*PROGRAM, "analyse"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert analyse.stdout
    analyse.stdout.close()
    analyse.stdout = None
    _, errors = analyse.communicate(given, timeout=60)
    assert analyse.returncode == 0
    assert errors == b""
