"""The organization of the demo: rules that show each kind of action, in a file to try one's own in."""

from __future__ import annotations

import json
from pathlib import Path

from workers.demo.sandbox_process import SandboxRun

ORGANIZATION_ID = "demo"

_RULES = """\
# The first rule that matches wins. Try your own: change this file and send SIGHUP to econeura: supervisor.

[[organizations.demo.rules]]
name = "urgent"
when = { urgency = ["high"], category = ["support", "finance", "general"] }
then = [{ categorize = "Urgent" }, { forward = ["on-call@partner.example"] }]

[[organizations.demo.rules]]
name = "invoices-es"
when = { category = ["finance"], language = ["es"] }
then = [{ categorize = "Finanzas" }, { respond = "acuse" }]

[[organizations.demo.rules]]
name = "invoices"
when = { category = ["finance"] }
then = [{ categorize = "Finance" }, { respond = "receipt" }]

[[organizations.demo.rules]]
name = "support"
when = { category = ["support"] }
then = [{ categorize = "Support" }, { forward = ["helpdesk@partner.example"] }]

[[organizations.demo.rules]]
name = "appointments"
when = { category = ["calendar"] }
then = [{ categorize = "Calendar" }]

[[organizations.demo.rules]]
name = "sales"
when = { category = ["sales"] }
then = [{ categorize = "Sales" }, { forward = ["sales@partner.example"] }]

[[organizations.demo.rules]]
name = "newsletters"
when = { category = ["newsletter"] }
then = [{ categorize = "Newsletter" }, "archive"]

[[organizations.demo.rules]]
name = "junk"
when = { category = ["spam"], min_confidence = 0.75 }
then = [{ categorize = "Junk" }, "archive"]

[organizations.demo.templates.acuse]
body = "Hola {{ sender_name }}:\\n\\nHemos recibido su mensaje y lo estamos tramitando.\\n\\nUn saludo"

[organizations.demo.templates.receipt]
body = "Hello {{ sender_name }},\\n\\nThank you, we have received your message.\\n\\nKind regards"
"""


def write_organization(directory: Path, sandbox: SandboxRun) -> Path:
    """Write the demo's organizations file and its secret, readable by their owner alone; returns the path."""
    secret = directory / "demo-client-secret"
    secret.touch(mode=0o600)
    secret.write_text(sandbox.client_secret, encoding="utf-8")
    facts = {
        "tenant_id": sandbox.tenant_id,
        "client_id": sandbox.client_id,
        "client_secret": f"file:{secret.name}",
        "mailboxes": list(sandbox.mailboxes),
        "mode": "act",
        # All the mail that is there, however old: it was put there to be shown.
        "process_since": "2000-01-01T00:00:00Z",
    }
    # A JSON string or list of strings is written the same way in TOML.
    table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in facts.items())
    path = directory / "organizations.toml"
    path.write_text(f"[organizations.{ORGANIZATION_ID}]\n{table}\n{_RULES}", encoding="utf-8")
    return path
