"""Drafts, replies, forwards and what happens when they are sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox_client import Conversation, conversation, escaped
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.sandbox("--sends-per-minute", "0", described=False)

TAG = "String {00020329-0000-0000-c000-000000000046} Name econeura"


@pytest.fixture
async def graph(sandbox: SandboxProcess) -> AsyncIterator[Conversation]:
    async with conversation(sandbox) as talk:
        yield talk


def question(sandbox: SandboxProcess, mailbox: str, **mail: Any) -> str:
    """The path of a delivered message."""
    mail = {"subject": "Duda", "body": "¿Cuándo llega?", "from": "Ana <ana@x.example>", **mail}
    return f"/users/{mailbox}/messages/{escaped(sandbox.deliver(mailbox, **mail)[0]['id'])}"


async def sent_with_tag(graph: Conversation, mailbox: str, value: str) -> list[dict[str, Any]]:
    condition = f"singleValueExtendedProperties/Any(ep: ep/id eq '{TAG}' and ep/value eq '{value}')"
    reply = await graph.get(f"/users/{mailbox}/mailFolders/sentitems/messages", filter=condition)
    return list(reply.body["value"])


async def test_a_reply_keeps_the_thread_and_is_found_by_its_tag(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    original = question(sandbox, mailbox)
    tag = {"singleValueExtendedProperties": [{"id": TAG, "value": "k-1"}]}
    draft = await graph.call("POST", f"{original}/createReply", {"message": tag})
    assert draft.status == 201
    quoted = draft.body["body"]["content"]
    assert draft.body["subject"] == "RE: Duda"
    assert draft.body["isDraft"] is True
    assert "¿Cuándo llega?" in quoted and "<b>From:</b> Ana &lt;ana@x.example&gt;" in quoted
    assert [one["emailAddress"]["address"] for one in draft.body["toRecipients"]] == ["ana@x.example"]

    path = f"/users/{mailbox}/messages/{escaped(draft.body['id'])}"
    answer = quoted.replace("<body>", "<body><p>Mañana.</p>")
    changed = await graph.call("PATCH", path, {"body": {"contentType": "html", "content": answer}})
    assert changed.status == 200
    sent = await graph.call("POST", f"{path}/send")
    assert (sent.status, sent.body) == (202, None)
    assert sandbox.folder(mailbox, "drafts") == []
    copy = await sent_with_tag(graph, mailbox, "k-1")
    assert [one["id"] for one in copy] == [draft.body["id"]]
    assert copy[0]["isDraft"] is False
    assert "Mañana." in copy[0]["body"]["content"] and "¿Cuándo llega?" in copy[0]["body"]["content"]
    record = sandbox.sent(mailbox)
    assert [(one["to"], one["subject"]) for one in record] == [(["ana@x.example"], "RE: Duda")]
    again = await graph.call("POST", f"{path}/send")
    assert again.status == 400


async def test_reply_to_wins_and_reply_all_leaves_ourselves_out(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    original = question(
        sandbox, mailbox, replyTo=["desk@x.example"], to=[mailbox, "b@x.example"], cc=["c@x.example"]
    )
    alone = (await graph.call("POST", f"{original}/createReply")).body
    everyone = (await graph.call("POST", f"{original}/createReplyAll")).body
    assert addresses(alone["toRecipients"]) == ["desk@x.example"]
    assert addresses(everyone["toRecipients"]) == ["desk@x.example", "b@x.example"]
    assert addresses(everyone["ccRecipients"]) == ["c@x.example"]


async def test_comment_and_body_exclude_each_other(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    original = question(sandbox, mailbox)
    both = {"comment": "x", "message": {"body": {"contentType": "text", "content": "y"}}}
    assert (await graph.call("POST", f"{original}/createReply", both)).status == 400
    with_comment = (await graph.call("POST", f"{original}/createReply", {"comment": "Enseguida"})).body
    assert with_comment["body"]["content"].index("Enseguida") < with_comment["body"]["content"].index(
        "¿Cuándo"
    )
    own_body = {"message": {"body": {"contentType": "html", "content": "<p>nur das</p>"}}}
    replaced = (await graph.call("POST", f"{original}/createReply", own_body)).body
    assert "¿Cuándo" not in replaced["body"]["content"]


async def test_a_forward_keeps_attachments_and_needs_one_place_for_recipients(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    original = question(sandbox, mailbox, attachments=[{"name": "a.txt", "contentBytes": "YQ=="}])
    to = [{"emailAddress": {"address": "help@acme.example"}}]
    assert (await graph.call("POST", f"{original}/forward", {"comment": "x"})).status == 400
    twice = {"toRecipients": to, "message": {"toRecipients": to}}
    assert (await graph.call("POST", f"{original}/createForward", twice)).status == 400
    draft = (await graph.call("POST", f"{original}/createForward", {"toRecipients": to})).body
    assert (draft["subject"], draft["hasAttachments"]) == ("FW: Duda", True)
    assert addresses(draft["toRecipients"]) == ["help@acme.example"]
    assert (await graph.call("POST", f"{original}/forward", {"message": {"toRecipients": to}})).status == 202
    assert [one["attachments"] for one in sandbox.sent(mailbox)] == [["a.txt"]]


async def test_the_sent_copy_can_lag_and_change_its_id(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    original = question(sandbox, mailbox)
    tag = {"singleValueExtendedProperties": [{"id": TAG, "value": "k-2"}]}
    draft = (await graph.call("POST", f"{original}/createReply", {"message": tag})).body
    sandbox.behave(sent_copy_lag_s=0.3, sent_copy_changes_id=True)
    try:
        path = f"/users/{mailbox}/messages/{escaped(draft['id'])}"
        assert (await graph.call("POST", f"{path}/send")).status == 202
        assert await sent_with_tag(graph, mailbox, "k-2") == []
        assert (await graph.get(path)).status == 404
        sandbox.wait_until(lambda: sandbox.folder(mailbox, "sentitems"))
        copies = await sent_with_tag(graph, mailbox, "k-2")
    finally:
        sandbox.behave(sent_copy_lag_s=0.0, sent_copy_changes_id=False)
    assert len(copies) == 1
    assert copies[0]["id"] != draft["id"]


async def test_mail_between_our_mailboxes_arrives_in_the_thread(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    other = sandbox.add_mailbox(f"other-{mailbox}")
    message = {
        "subject": "Hola",
        "body": {"contentType": "Text", "content": "¿Qué tal?"},
        "toRecipients": [{"emailAddress": {"address": other}}],
        "internetMessageHeaders": [{"name": "X-Auto-Response-Suppress", "value": "All"}],
    }
    assert (await graph.call("POST", f"/users/{mailbox}/sendMail", {"message": message})).status == 202
    arrived = sandbox.folder(other, "inbox", bodies=True)[0]
    assert (arrived["from"], arrived["subject"]) == (mailbox, "Hola")
    assert ["X-Auto-Response-Suppress", "All"] in arrived["headers"]
    reply = {"comment": "Bien"}
    assert (
        await graph.call("POST", f"/users/{other}/messages/{escaped(arrived['id'])}/reply", reply)
    ).status == 202
    back = sandbox.folder(mailbox, "inbox")[0]
    mine = sandbox.folder(mailbox, "sentitems")[0]
    assert back["subject"] == "RE: Hola"
    assert back["conversationId"] == mine["conversationId"]


async def test_an_out_of_office_assistant_answers_every_mail(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    headers = {"Auto-Submitted": "auto-replied"}
    sandbox.admin("POST", "responders", {"address": "away@x.example", "headers": headers})
    message = {"subject": "Hola", "toRecipients": [{"emailAddress": {"address": "away@x.example"}}]}
    assert (await graph.call("POST", f"/users/{mailbox}/sendMail", {"message": message})).status == 202
    answer = sandbox.folder(mailbox, "inbox", bodies=True)[0]
    assert answer["subject"] == "Automatic reply: Hola"
    assert ["Auto-Submitted", "auto-replied"] in answer["headers"]


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["Auto-Submitted"], "InvalidInternetMessageHeader"),
        ([], "InvalidInternetMessageHeaderCollection"),
        ([f"x-{n}" for n in range(6)], "InvalidInternetMessageHeaderCollection"),
    ],
)
async def test_only_one_to_five_own_headers_can_be_sent(
    graph: Conversation, mailbox: str, names: list[str], code: str
) -> None:
    message = {
        "toRecipients": [{"emailAddress": {"address": "a@x.example"}}],
        "internetMessageHeaders": [{"name": name, "value": "v"} for name in names],
    }
    refused = await graph.call("POST", f"/users/{mailbox}/sendMail", {"message": message})
    assert (refused.status, refused.code) == (400, code)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": {"subject": "to nobody"}},
        {"message": {"toRecipients": [{"address": "a@x.example"}]}},
        {"message": {"toRecipients": [{"emailAddress": {"address": "no address"}}]}},
        {"message": {"to": []}},
        {"mail": {}},
        {"message": {}, "saveToSentItems": "false"},
    ],
)
async def test_a_mail_that_is_none_is_refused(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str, body: dict[str, Any]
) -> None:
    assert (await graph.call("POST", f"/users/{mailbox}/sendMail", body)).status == 400
    assert sandbox.sent(mailbox) == []
    assert sandbox.folder(mailbox, "outbox") == []


async def test_a_mail_can_leave_no_copy(sandbox: SandboxProcess, graph: Conversation, mailbox: str) -> None:
    message = {"toRecipients": [{"emailAddress": {"address": "a@x.example"}}]}
    body = {"message": message, "saveToSentItems": False}
    assert (await graph.call("POST", f"/users/{mailbox}/sendMail", body)).status == 202
    assert sandbox.folder(mailbox, "sentitems") == []
    assert len(sandbox.sent(mailbox)) == 1


def addresses(recipients: list[dict[str, Any]]) -> list[str]:
    return [one["emailAddress"]["address"] for one in recipients]
