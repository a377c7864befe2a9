"""Logs are JSON lines with the ids of the work, and without what must not be there."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import logging
from workers import logs
logs.configure("worker", form="json")
log = logs.get_logger("test")
with logs.bound(correlation_id="c-1", organization_id="acme", message_id="m1"):
    log.info("mail_seen", sender="Ana Ruiz <ana.ruiz@cliente.example>", client_secret="s3cret")
    logging.getLogger("library").warning("refused for ana.ruiz@cliente.example")
log.debug("not at this level")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def lines() -> list[dict[str, str]]:
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ran.stderr.splitlines()]


def test_a_line_tells_when_what_and_for_whom() -> None:
    seen, library, failed = lines()
    assert seen["event"] == "mail_seen" and seen["level"] == "info" and seen["timestamp"].endswith("Z")
    assert (seen["correlationId"], seen["organizationId"], seen["messageId"]) == ("c-1", "acme", "m1")
    assert library["level"] == "warning" and library["correlationId"] == "c-1"
    assert "ZeroDivisionError" in failed["exception"] and "correlationId" not in failed


def test_addresses_and_secrets_do_not_get_into_the_log() -> None:
    text = json.dumps(lines())
    assert "s3cret" not in text and "ana.ruiz@" not in text
    assert "a***@cliente.example" in text
