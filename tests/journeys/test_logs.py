"""What a running service logs at info: everything that happens, and nothing that must not be read there."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.graph_scenes import addresses, mailbox_arguments
from tests.waiting import wait_for
from tests.webhook_receiver import receiving

(BOX,) = addresses(1)
WEBHOOK_KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
TEXT, SUBJECT, ANSWER = "zarzamora silvestre", "Palinodia 7", "tornasolado cordial"
RULES = """
[[organizations.acme.rules]]
name = "todas"
when = {{ min_confidence = 0.0 }}
then = [{{ categorize = "Visto" }}, {{ forward = ["destino.ajeno@else.example"] }}, {{ respond = "acuse" }}]
[organizations.acme.templates.acuse]
body = "{answer}"
[organizations.acme.webhooks.crm]
url = "{url}/crm"
secret = "env:CRM_SECRET"
"""
WHOLE_ADDRESS = re.compile(r"[A-Za-z0-9._+-]{2,}(?:@|%40)[a-z0-9-]+\.")


def test_no_secret_no_text_and_no_whole_address_is_logged(
    start_sandbox: StartSandbox, start_service: StartService
) -> None:
    sandbox = start_sandbox(*mailbox_arguments([BOX]))
    with receiving() as receiver:
        receiver.answer = lambda heard: (500, {}, heard.body)
        service = start_service(
            sandbox,
            rules=RULES.format(url=receiver.url, answer=ANSWER),
            environment={
                "ECONEURA_LOG_FORMAT": "json",
                "ECONEURA_WEBHOOK_NETWORKS": "127.0.0.1/32",
                "CRM_SECRET": f"whsec_{WEBHOOK_KEY}",
            },
        )
        # Graph fails in the ways that are logged: a refused token, an error, a cut connection.
        sandbox.fault("status", status=401, method="GET", count=1)
        sandbox.fault("status", status=503, method="POST", path="createReply", count=1)
        sandbox.fault("reset_before", method="PATCH", count=1)
        sandbox.deliver(
            BOX, subject=SUBJECT, body=f"Hola, {TEXT}.", **{"from": "Ana Ruiz <ana.ruiz@cliente.example>"}
        )
        service.wait_until_finished(1)
        receiver.wait_for("email.done", 1)
        command = [
            sys.executable,
            "-m",
            "workers",
            "keys",
            "create",
            "--name",
            "n",
            "--scope",
            "submit,operate",
        ]
        made = subprocess.run(command, env=service.environment, capture_output=True, text=True, check=True)
        key = made.stdout.strip()
        headers = {"Authorization": f"Bearer {key}"}
        resume = "/organizations/acme/resume"
        wait_for(lambda: service.request("POST", resume).status == 401, what="the key to count")
        assert service.request("POST", resume, headers=headers).status == 200
        wrong = {"Authorization": f"Bearer {key}x"}
        assert service.request("POST", resume, headers=wrong).status == 401
        body = {"messageId": "AAMkNotThere", "organizationId": "acme", "mailbox": "ana.ruiz@cliente.example"}
        assert service.request("POST", "/emails/process", body, headers).status == 422
        job = service.request(
            "POST", "/emails/process", {**body, "mailbox": BOX}, {**headers, "Prefer": "wait=30"}
        )
        assert job.data["status"] == "failed"
        forged = {
            "value": [{"subscriptionId": "s", "clientState": "forged-client-state", "changeType": "created"}]
        }
        assert service.request("POST", "/listen", forged).status == 202
        service.configure(rules="[[organizations.acme.rules]]\nname = 3")
        for process in (*service.processes("api"), *service.processes("worker")):
            process.send_signal(signal.SIGHUP)
        wait_for(lambda: service.log.read_text().count("not_reloaded") >= 2, what="the bad file to be told")
        assert service.stop() == 0
    log = service.log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    told = {line["event"] for line in lines}
    assert {"message runs again", "email_finished", "webhook_told", "changed"} <= told
    for secret in (
        service.environment["ACME_SECRET"],
        WEBHOOK_KEY,
        key.rpartition("_")[2],
        "forged-client-state",
    ):
        assert secret not in log
    for text in (TEXT, SUBJECT, ANSWER):
        assert text not in log
    assert re.findall(r"eyJ[\w-]+\.[\w-]+\.|[Bb]earer \w|whsec_\w", log) == []
    assert WHOLE_ADDRESS.findall(log) == []
