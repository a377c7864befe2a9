"""Reading and changing messages in the sandbox, as Graph's pages describe it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from tests.sandbox_client import Conversation, conversation, escaped
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.sandbox(described=False)

TAG = "String {00020329-0000-0000-C000-000000000046} Name econeura"


@pytest.fixture
async def graph(sandbox: SandboxProcess) -> AsyncIterator[Conversation]:
    async with conversation(sandbox) as talk:
        yield talk


async def test_lists_come_in_pages_of_ten_newest_first(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.deliver(mailbox, subject="mail {n}", count=23)
    link: str | None = f"/users/{mailbox}/mailFolders/inbox/messages?$select=subject&$count=true"
    sizes, subjects = [], []
    while link:
        page = (await graph.call("GET", link)).body
        assert page["@odata.count"] == 23
        sizes.append(len(page["value"]))
        subjects += [one["subject"] for one in page["value"]]
        link = page.get("@odata.nextLink")
    assert sizes == [10, 10, 3]
    assert subjects == [f"mail {n}" for n in range(23, 0, -1)]


async def test_a_message_has_what_graph_shows_and_only_what_was_selected(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sent = sandbox.deliver(
        mailbox,
        subject="Hola",
        body="uno\n<dos>",
        headers={"List-Id": "<a.example>"},
        **{"from": "Ana <ana@x.example>"},
    )[0]
    path = f"/users/{mailbox}/messages/{escaped(sent['id'])}"
    whole = (await graph.get(path)).body
    assert whole["@odata.etag"] == f'W/"{whole["changeKey"]}"'
    assert whole["from"] == {"emailAddress": {"name": "Ana", "address": "ana@x.example"}}
    assert whole["body"]["contentType"] == "html"
    assert "uno<br>\r\n&lt;dos&gt;" in whole["body"]["content"]
    assert "internetMessageHeaders" not in whole
    part = (await graph.get(path, select="subject,internetMessageHeaders")).body
    assert set(part) == {"@odata.context", "@odata.etag", "id", "subject", "internetMessageHeaders"}
    assert part["internetMessageHeaders"] == [{"name": "List-Id", "value": "<a.example>"}]
    text = await graph.call("GET", path, prefer='outlook.body-content-type="text"')
    assert text.body["body"] == {"contentType": "text", "content": "uno\n<dos>"}
    assert "body-content-type" in text.headers["Preference-Applied"]


async def test_ids_must_be_encoded_and_are_case_sensitive(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    delivered = sandbox.deliver(mailbox, subject="{n}", count=3)
    # Two that follow each other differ in letter case alone.
    one, twin = next(pair for pair in pairwise(delivered) if pair[0]["id"].lower() == pair[1]["id"].lower())
    assert {"/", "+", "="} <= set(one["id"])
    assert (await graph.get(f"/users/{mailbox}/messages/{one['id']}")).status == 400
    wrong_case = await graph.get(f"/users/{mailbox}/messages/{escaped(one['id'].swapcase())}")
    assert wrong_case.status in (400, 404)
    for message in (one, twin):
        found = await graph.get(f"/users/{mailbox}/messages/{escaped(message['id'])}", select="subject")
        assert found.body["subject"] == message["subject"]
    assert (await graph.get(f"/users/{mailbox}/messages/12345")).code == "ErrorInvalidIdMalformed"
    unknown = await graph.get(f"/users/{mailbox}/messages/{escaped(one['id'][:-6] + 'AAAA==')}")
    assert (unknown.status, unknown.code) == (404, "ErrorItemNotFound")


async def test_a_move_changes_the_default_id_and_keeps_the_immutable_one(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    before = sandbox.deliver(mailbox, subject="moving")[0]
    path = f"/users/{mailbox}/messages"
    moved = await graph.call(
        "POST", f"{path}/{escaped(before['defaultId'])}/move", {"destinationId": "archive"}, prefer="x=1"
    )
    assert moved.status == 201
    assert moved.body["id"] != before["defaultId"]
    assert (await graph.get(f"{path}/{escaped(before['defaultId'])}")).status == 404
    assert (await graph.get(f"{path}/{escaped(before['id'])}")).body["id"] == before["id"]
    assert [one["id"] for one in sandbox.folder(mailbox, "archive")] == [before["id"]]
    assert sandbox.folder(mailbox, "inbox") == []


async def test_filters_find_by_date_address_category_and_tag(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.deliver(
        mailbox, subject="old", receivedDateTime="2026-01-01T00:00:00Z", **{"from": "a@x.example"}
    )
    new = sandbox.deliver(mailbox, subject="it's new", receivedDateTime="2026-03-01T00:00:00Z")[0]
    messages = f"/users/{mailbox}/messages"
    changed = await graph.call(
        "PATCH",
        f"{messages}/{escaped(new['id'])}",
        {"categories": ["Finanzas"], "singleValueExtendedProperties": [{"id": TAG, "value": "Key-1"}]},
    )
    assert changed.status == 200
    for condition, expected in (
        ("receivedDateTime ge 2026-02-01T00:00:00Z", ["it's new"]),
        ("from/emailAddress/address eq 'A@X.example' and isRead eq false", ["old"]),
        ("categories/any(c:c eq 'Finanzas')", ["it's new"]),
        ("subject eq 'it''s new' or subject eq 'none'", ["it's new"]),
        ("not (startswith(subject,'it'))", ["old"]),
        (f"singleValueExtendedProperties/Any(ep: ep/id eq '{TAG}' and ep/value eq 'key-1')", ["it's new"]),
        (f"singleValueExtendedProperties/Any(ep: ep/id eq '{TAG.upper()}' and ep/value eq 'key-1')", None),
        (f"singleValueExtendedProperties/Any(ep: ep/id eq '{TAG}x' and ep/value eq 'key-1')", []),
    ):
        found = await graph.get(messages, filter=condition, select="subject")
        subjects = [one["subject"] for one in found.body["value"]] if found.status == 200 else None
        assert subjects == expected, condition
    shown = await graph.get(messages, expand=f"singleValueExtendedProperties($filter=id eq '{TAG}')")
    tags = [one.get("singleValueExtendedProperties") for one in shown.body["value"]]
    assert tags == [[{"id": TAG.replace("C000", "c000"), "value": "Key-1"}], None]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("$filter=internetMessageHeaders%20eq%20'x'", "ErrorInvalidUrlQuery"),
        ("$filter=receivedDateTime%20ge%20'2026-01-01'", "BadRequest"),
        ("$filter=isRead%20eq", "BadRequest"),
        ("$filter=isRead%20eq%20false&$orderby=receivedDateTime", "InefficientFilter"),
        ("$select=nothing", "RequestBroker--ParseUri"),
        ("$top=1001", "ErrorInvalidUrlQuery"),
        ("$bottom=1", "ErrorInvalidUrlQuery"),
        ("$top=1&$top=2", "BadRequest"),
    ],
)
async def test_wrong_options_are_refused(graph: Conversation, mailbox: str, query: str, code: str) -> None:
    reply = await graph.call("GET", f"/users/{mailbox}/messages?{query}", client_request_id="c-1")
    assert (reply.status, reply.code) == (400, code)
    inner = reply.body["error"]["innerError"]
    assert inner["client-request-id"] == reply.headers["client-request-id"] == "c-1"
    assert inner["request-id"] == reply.headers["request-id"]
    assert not inner["date"].endswith("Z")


@pytest.mark.parametrize(
    "change",
    [
        {"category": ["x"]},
        {"categories": "x"},
        {"categories": [1]},
        {"isRead": "yes"},
        {"importance": "urgent"},
        {"flag": {"flagStatus": "on"}},
        {"subject": "only a draft's"},
        {"internetMessageHeaders": [{"name": "x-a", "value": "b"}]},
        {"receivedDateTime": "2026-01-01T00:00:00Z"},
        {"singleValueExtendedProperties": [{"id": "Name econeura", "value": "x"}]},
        {"singleValueExtendedProperties": [{"id": TAG, "value": 1}]},
        [],
    ],
)
async def test_a_wrong_change_is_refused_and_changes_nothing(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str, change: Any
) -> None:
    before = sandbox.deliver(mailbox, subject="x")[0]
    reply = await graph.call("PATCH", f"/users/{mailbox}/messages/{escaped(before['id'])}", change)
    assert reply.status == 400
    assert sandbox.folder(mailbox, "inbox")[0]["etag"] == before["etag"]


async def test_a_change_of_another_state_is_a_conflict(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    message = sandbox.deliver(mailbox, subject="x")[0]
    path = f"/users/{mailbox}/messages/{escaped(message['id'])}"
    first = await graph.call("PATCH", path, {"isRead": True}, If_Match=message["etag"])
    assert first.status == 200
    late = await graph.call("PATCH", path, {"isRead": False}, If_Match=message["etag"])
    assert (late.status, late.code) == (412, "ErrorIrresolvableConflict")


async def test_delete_goes_to_deleted_items_and_then_for_good(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    message = sandbox.deliver(mailbox, subject="x")[0]
    path = f"/users/{mailbox}/messages/{escaped(message['id'])}"
    assert (await graph.call("DELETE", path)).status == 204
    assert len(sandbox.folder(mailbox, "deleteditems")) == 1
    assert (await graph.call("DELETE", path)).status == 204
    assert (await graph.call("DELETE", path)).status == 404


async def test_folders_have_well_known_names_whatever_the_language(graph: Conversation, mailbox: str) -> None:
    listed = (await graph.get(f"/users/{mailbox}/mailFolders", top="50")).body["value"]
    inbox = (await graph.get(f"/users/{mailbox}/mailFolders/inbox")).body
    same = (await graph.get(f"/users/{mailbox}/mailFolders('Inbox')")).body
    assert inbox["id"] == same["id"]
    assert inbox["id"] in {one["id"] for one in listed}
    assert (inbox["totalItemCount"], inbox["unreadItemCount"]) == (0, 0)
    by_id = await graph.get(f"/users/{mailbox}/mailFolders/{escaped(inbox['id'])}")
    assert by_id.body["displayName"] == inbox["displayName"]
    assert (await graph.get(f"/users/{mailbox}/mailFolders/nowhere")).status == 400


async def test_attachments_are_listed_and_fetched(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    files = [{"name": "a.pdf", "contentType": "application/pdf", "contentBytes": "aG9sYQ=="}]
    message = sandbox.deliver(mailbox, subject="x", attachments=files)[0]
    path = f"/users/{mailbox}/messages/{escaped(message['id'])}"
    assert (await graph.get(path)).body["hasAttachments"] is True
    short = (await graph.get(f"{path}/attachments", select="name,contentType,size")).body["value"][0]
    assert (short["name"], short["contentType"], short["size"]) == ("a.pdf", "application/pdf", 4)
    assert "contentBytes" not in short
    whole = (await graph.get(f"{path}/attachments/{escaped(short['id'])}")).body
    assert whole["contentBytes"] == "aG9sYQ=="


async def test_master_categories_are_unique_whatever_the_case(graph: Conversation, mailbox: str) -> None:
    path = f"/users/{mailbox}/outlook/masterCategories"
    assert (await graph.call("POST", path, {"displayName": "Finanzas", "color": "preset4"})).status == 201
    assert (await graph.call("POST", path, {"displayName": "FINANZAS"})).status == 409
    assert (await graph.call("POST", path, {"displayName": "x", "color": "preset25"})).status == 400
    listed = (await graph.get(path)).body["value"]
    assert ("Finanzas", "preset4") in {(one["displayName"], one["color"]) for one in listed}
