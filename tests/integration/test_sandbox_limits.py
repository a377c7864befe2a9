"""Throttling, `$batch` and faults on request: what a client has to live with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from tests.sandbox_client import Conversation, conversation, escaped
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.sandbox(described=False)


@pytest.fixture
async def graph(sandbox: SandboxProcess) -> AsyncIterator[Conversation]:
    async with conversation(sandbox) as talk:
        yield talk


def send_to_someone(subject: str = "x") -> dict[str, Any]:
    return {"message": {"subject": subject, "toRecipients": [{"emailAddress": {"address": "a@x.example"}}]}}


async def test_a_fifth_call_in_flight_is_refused_and_the_peak_is_shown(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.behave(latency_ms=200)
    other = sandbox.add_mailbox(f"other-{mailbox}")
    calls = [graph.get(f"/users/{one}/messages") for one in [mailbox] * 6 + [other] * 4]
    replies = await asyncio.gather(*calls)
    assert Counter(reply.status for reply in replies) == {200: 8, 429: 2}
    refused = next(reply for reply in replies if reply.status == 429)
    assert (refused.code, refused.headers["Retry-After"]) == ("ApplicationThrottled", "1")
    assert "MailboxConcurrency" in refused.body["error"]["message"]
    state = sandbox.admin("GET", "state", mailbox=mailbox, summary=1)["mailboxes"][mailbox]
    assert (state["peakConcurrency"], state["throttled"]) == (4, 2)


async def test_calls_and_sends_have_their_own_windows(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.behave(sends_per_min=2)
    path = f"/users/{mailbox}/sendMail"
    replies = [await graph.call("POST", path, send_to_someone()) for _ in range(3)]
    assert [reply.status for reply in replies] == [202, 202, 429]
    assert 50 < int(replies[-1].headers["Retry-After"]) <= 60
    assert len(sandbox.sent(mailbox)) == 2
    sandbox.behave(requests_per_10_min=4)
    assert (await graph.get(f"/users/{mailbox}/messages")).status == 200
    over = await graph.get(f"/users/{mailbox}/messages")
    assert over.status == 429
    assert int(over.headers["Retry-After"]) > 500


async def test_a_batch_answers_each_part_by_itself_and_in_any_order(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    first, second = sandbox.deliver(mailbox, subject="{n}", count=2)
    messages = f"/users/{mailbox}/messages"
    parts = [
        {"id": "get", "method": "GET", "url": f"{messages}/{escaped(first['id'])}?$select=subject",
         "headers": {"Prefer": 'IdType="ImmutableId"'}},
        {"id": "patch", "method": "PATCH", "url": f"{messages}/{escaped(second['id'])}",
         "headers": {"Content-Type": "application/json"}, "body": {"categories": ["x"]}},
        {"id": "missing", "method": "GET", "url": f"{messages}/{escaped(first['id'][:-6] + 'AAAA==')}"},
        {"id": "after", "method": "GET", "url": messages, "dependsOn": ["missing"]},
    ]  # fmt: skip
    reply = await graph.call("POST", "/$batch", {"requests": parts})
    assert reply.status == 200
    answers = {one["id"]: one for one in reply.body["responses"]}
    assert {name: one["status"] for name, one in answers.items()} == {
        "get": 200,
        "patch": 200,
        "missing": 404,
        "after": 424,
    }
    assert answers["get"]["body"]["id"] == first["id"]
    assert sandbox.folder(mailbox, "inbox")[1]["categories"] == ["x"]


async def test_a_throttled_part_says_so_in_its_own_headers(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.fault("status", endpoint="/users/{user}/messages", status=429, retry_after_s=7, count=1)
    parts = [{"id": str(n), "method": "GET", "url": f"/users/{mailbox}/messages"} for n in range(3)]
    reply = await graph.call("POST", "/$batch", {"requests": parts})
    throttled = [one for one in reply.body["responses"] if one["status"] == 429]
    assert (reply.status, len(throttled)) == (200, 1)
    assert throttled[0]["headers"]["Retry-After"] == "7"
    assert "Retry-After" not in reply.headers


async def test_a_whole_batch_can_fail(sandbox: SandboxProcess, graph: Conversation, mailbox: str) -> None:
    sandbox.fault("status", endpoint="/$batch", status=503, count=1)
    parts = [{"id": "1", "method": "GET", "url": f"/users/{mailbox}/messages"}]
    assert (await graph.call("POST", "/$batch", {"requests": parts})).status == 503
    assert sandbox.calls(mailbox=mailbox) == []


async def test_a_batch_hands_four_parts_at_once_to_a_mailbox(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.behave(latency_ms=50)
    parts = [{"id": str(n), "method": "GET", "url": f"/users/{mailbox}/messages"} for n in range(20)]
    reply = await graph.call("POST", "/$batch", {"requests": parts})
    assert {one["status"] for one in reply.body["responses"]} == {200}
    assert sandbox.admin("GET", "state", mailbox=mailbox)["mailboxes"][mailbox]["peakConcurrency"] == 4


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [{"id": str(n), "method": "GET", "url": "/users/x/messages"} for n in range(21)],
        [{"id": "1", "method": "GET", "url": "/users/x/messages"}] * 2,
        [{"id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/users/x/messages"}],
        [{"id": "1", "method": "PATCH", "url": "/users/x/messages/y", "body": {}}],
        [{"id": "1", "method": "GET", "url": "/users/x/messages", "dependsOn": ["2"]}],
        [{"id": 1, "method": "GET", "url": "/users/x/messages"}],
    ],
)
async def test_a_malformed_batch_is_refused(graph: Conversation, parts: list[dict[str, Any]]) -> None:
    assert (await graph.call("POST", "/$batch", {"requests": parts})).status == 400


async def test_a_status_can_be_asked_for_with_and_without_effect(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    rule = {"method": "POST", "endpoint": "/users/{user}/sendMail", "count": 1}
    sandbox.fault("status", status=503, retry_after_s=2, **rule)
    path = f"/users/{mailbox}/sendMail"
    refused = await graph.call("POST", path, send_to_someone())
    assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
    assert sandbox.sent(mailbox) == []
    sandbox.fault("status", status=504, after_effect=True, **rule)
    unsure = await graph.call("POST", path, send_to_someone())
    assert (unsure.status, "Retry-After" in unsure.headers) == (504, False)
    assert len(sandbox.sent(mailbox)) == 1
    assert (await graph.call("POST", path, send_to_someone())).status == 202


@pytest.mark.parametrize(("kind", "effects"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_connection_can_be_cut_before_or_after_the_effect(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str, kind: str, effects: int
) -> None:
    sandbox.fault(kind, mailbox=mailbox, count=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await graph.call("POST", f"/users/{mailbox}/sendMail", send_to_someone())
    assert len(sandbox.sent(mailbox)) == effects
    assert [one["fault"] for one in sandbox.calls(mailbox=mailbox)] == [kind]


async def test_an_answer_can_be_cut_short_or_slow(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.deliver(mailbox, subject="x")
    sandbox.fault("truncate", mailbox=mailbox, count=1)
    with pytest.raises(orjson.JSONDecodeError):
        await graph.get(f"/users/{mailbox}/messages")
    sandbox.fault("slow", delay_ms=150, mailbox=mailbox, count=1)
    await graph.get(f"/users/{mailbox}/messages")
    assert sandbox.calls(mailbox=mailbox)[-1]["duration_ms"] >= 150


async def test_faults_hit_by_path_share_and_turn(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.fault("status", status=500, path=r"\$top=7", skip=1)
    statuses = [(await graph.get(f"/users/{mailbox}/messages", top="7")).status for _ in range(3)]
    assert statuses == [200, 500, 500]
    assert (await graph.get(f"/users/{mailbox}/messages", top="8")).status == 200
    sandbox.admin("DELETE", "faults")
    sandbox.fault("status", status=500, share=0.5)
    statuses = [(await graph.get(f"/users/{mailbox}/messages")).status for _ in range(60)]
    assert 10 < statuses.count(500) < 50


async def test_the_journal_keeps_what_was_asked_but_no_token(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    await graph.call("POST", f"/users/{mailbox}/sendMail", send_to_someone("Hola"), client_request_id="c-7")
    entry = sandbox.calls(mailbox=mailbox)[0]
    assert (entry["method"], entry["endpoint"], entry["status"]) == ("POST", "/users/{user}/sendMail", 202)
    assert entry["client_request_id"] == "c-7"
    assert entry["body"] == send_to_someone("Hola")
    assert entry["prefer"] == ['IdType="ImmutableId"']
    assert graph.token not in orjson.dumps(sandbox.admin("GET", "calls")).decode()


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "explode"},
        {"kind": "status", "endpoint": "/users/{id}/sendMail"},
        {"kind": "slow", "delay": 5},
        {"kind": "status", "share": "0.5"},
    ],
)
def test_a_fault_that_could_never_hit_is_refused(sandbox: SandboxProcess, rule: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="400"):
        sandbox.admin("POST", "faults", rule)
    assert sandbox.admin("GET", "faults")["faults"] == []


def test_the_admin_routes_need_the_token_of_the_run(sandbox: SandboxProcess) -> None:
    token = sandbox.run["admin_token"]
    sandbox.run["admin_token"] = "guess"
    try:
        with pytest.raises(AssertionError, match="401"):
            sandbox.admin("GET", "state")
    finally:
        sandbox.run["admin_token"] = token
