"""One id from the caller to Microsoft: through queue, actor, retry and child message, in logs and traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.graph_scenes import addresses, mailbox_arguments
from tests.journeys.service import ORGANIZATION, Service
from tests.sandbox_process import SandboxProcess
from tests.trace_collector import Collector, collecting
from tests.waiting import wait_for

(BOX,) = addresses(1)
RULES = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
then = [ { categorize = "Visto" }, "archive" ]
"""
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MESSAGE = "/users/{user}/messages/{message}"


def lines_of(service: Service, correlation_id: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("correlationId") == correlation_id]


def process(
    service: Service, sandbox: SandboxProcess, headers: dict[str, str]
) -> tuple[str, list[dict[str, Any]]]:
    """Have a message processed whose first call fails; returns its id and the calls made of Graph."""
    last = max((call["number"] for call in sandbox.calls()), default=0)
    sandbox.fault("status", status=503, method="GET", endpoint=MESSAGE, count=1)
    message_id = str(sandbox.deliver(BOX, subject="Hola", body="¿Qué tal?")[0]["id"])
    body = {"messageId": message_id, "organizationId": ORGANIZATION, "mailbox": BOX}
    reply = service.request("POST", "/emails/process", body, {**headers, "Prefer": "wait=60"})
    assert (reply.status, reply.data["status"]) == (200, "completed")
    calls = sandbox.calls(mailbox=BOX, after=last)
    return message_id, [call for call in calls if call["endpoint"].startswith(MESSAGE)]


def assert_followed(service: Service, calls: list[dict[str, Any]], correlation_id: str) -> None:
    assert calls[0]["status"] == 503
    assert {call["client_request_id"] for call in calls} == {correlation_id}
    assert {call["method"] for call in calls} >= {"GET", "PATCH", "POST"}
    events = {(line["process"], line["event"]) for line in lines_of(service, correlation_id)}
    assert {("worker", "message runs again"), ("worker", "email_finished")} <= events


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> SandboxProcess:
    return start_sandbox(*mailbox_arguments([BOX]))


def started(start_service: StartService, sandbox: SandboxProcess, **environment: str) -> Service:
    given = {"ECONEURA_LOG_FORMAT": "json", **environment}
    service = start_service(sandbox, rules=RULES, public=False, environment=given)
    with service.redis() as client:
        # After the look at each mailbox that a start brings: nobody finds the mail before the caller asks.
        synced = f"{{econeura}}:folder:{BOX}:inbox"
        wait_for(lambda: client.hget(synced, "synced_at"), what="the first look")
    return service


@pytest.mark.parametrize(
    ("headers", "correlation_id"),
    [
        ({"X-Correlation-ID": "pedido-42"}, "pedido-42"),
        ({"traceparent": f"00-{TRACE}-{CALLER}-01"}, TRACE),
        ({"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Correlation-ID": "pedido-43"}, "pedido-43"),
    ],
)
def test_the_callers_id_is_followed_to_graph(
    start_service: StartService, sandbox: SandboxProcess, headers: dict[str, str], correlation_id: str
) -> None:
    service = started(start_service, sandbox)
    _, calls = process(service, sandbox, headers)
    assert_followed(service, calls, correlation_id)
    assert {call["traceparent"] for call in calls} == {""}


def test_one_trace_holds_request_tries_children_and_graph_calls(
    start_service: StartService, sandbox: SandboxProcess
) -> None:
    with collecting() as collector:
        service = started(start_service, sandbox, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        message_id, calls = process(service, sandbox, {"traceparent": f"00-{TRACE}-{CALLER}-01"})
        wait_for(lambda: collector.of(TRACE, "process archive_email"), what="the last span")
        wait_for(lambda: collector.of(TRACE, "POST /emails/process"), what="the first span")
        # The rest is on its way when the processes end.
        assert service.stop() == 0
        assert_followed(service, calls, TRACE)
        assert {call["traceparent"].split("-")[1] for call in calls} == {TRACE}
        assert_in_order(collector, calls)
        text = repr(collector.of(TRACE))
    for secret in (BOX, "Hola", message_id, service.environment["ACME_SECRET"]):
        assert secret not in text


def assert_in_order(collector: Collector, calls: list[dict[str, Any]]) -> None:
    (request,) = collector.of(TRACE, "POST /emails/process")
    assert (request.parent, request.service) == (CALLER, "econeura-api")
    assert request.attributes["http.response.status_code"] == 200
    first, second = collector.of(TRACE, "process process_email")
    assert [try_.parent for try_ in (first, second)] == [request.span_id] * 2
    assert [(try_.failed, try_.attributes["econeura.attempt"]) for try_ in (first, second)] == [
        (True, 1),
        (False, 2),
    ]
    (categorize,), (archive,) = (
        collector.of(TRACE, f"process {actor}") for actor in ("categorize_email", "archive_email")
    )
    assert (categorize.parent, archive.parent) == (second.span_id, categorize.span_id)
    ids = [call["request_id"] for call in calls]
    asked = [span for span in collector.of(TRACE) if span.attributes.get("econeura.graph_request_id") in ids]
    assert asked[0].attributes["http.response.status_code"] == 503
    assert {span.parent for span in asked} <= {one.span_id for one in (first, second, categorize, archive)}
    # What Graph was handed is the span of the call itself.
    assert [call["traceparent"].split("-")[2] for call in calls] == [span.span_id for span in asked]


def test_a_collector_that_is_away_holds_nothing_up(
    start_service: StartService, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    service = started(start_service, sandbox, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    process(service, sandbox, {})
    assert service.stop(timeout_s=30) == 0
