"""Delta rounds in the sandbox: complete, repeatable, and as unfriendly as the documentation allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote

import pytest

from tests.sandbox_client import Conversation, conversation, escaped
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.sandbox(described=False)


@pytest.fixture
async def graph(sandbox: SandboxProcess) -> AsyncIterator[Conversation]:
    async with conversation(sandbox) as talk:
        yield talk


def delta_of(mailbox: str, query: str = "$select=subject,categories") -> str:
    return f"/users/{mailbox}/mailFolders/inbox/messages/delta?{query}"


async def test_a_first_round_lists_each_message_once_however_small_the_pages(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.deliver(mailbox, subject="{n}", count=47)
    for size in (1, 7, 47, 1000):
        items, _ = await graph.round(delta_of(mailbox), size=size)
        assert sorted(int(one["subject"]) for one in items) == list(range(1, 48))


async def test_later_rounds_tell_what_came_changed_and_left(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    stays, changes, leaves = sandbox.deliver(mailbox, subject="{n}", count=3)
    _, link = await graph.round(delta_of(mailbox))
    sandbox.admin(
        "POST", "patch", {"mailbox": mailbox, "id": changes["id"], "changes": {"categories": ["x"]}}
    )
    sandbox.admin("POST", "move", {"mailbox": mailbox, "id": leaves["id"], "folder": "archive"})
    new = sandbox.deliver(mailbox, subject="new")[0]
    items, link = await graph.round(link)
    by_id = {one["id"]: one for one in items}
    assert set(by_id) == {changes["id"], leaves["id"], new["id"]}
    assert stays["id"] not in by_id
    assert by_id[changes["id"]]["categories"] == ["x"]
    assert "subject" not in by_id[changes["id"]], "an update holds what changed, no more"
    assert by_id[leaves["id"]]["@removed"] == {"reason": "deleted"}
    assert by_id[new["id"]]["subject"] == "new"
    assert (await graph.round(link))[0] == []


async def test_default_ids_are_removed_under_the_id_they_had(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    message = sandbox.deliver(mailbox, subject="there and back")[0]
    _, link = await graph.round(delta_of(mailbox), prefer="respond-async")
    for folder in ("archive", "inbox"):
        sandbox.admin("POST", "move", {"mailbox": mailbox, "id": message["id"], "folder": folder})
    items, _ = await graph.round(link, prefer="respond-async")
    now = sandbox.folder(mailbox, "inbox")[0]["defaultId"]
    assert [(one["id"], "@removed" in one) for one in items] == [(message["defaultId"], True), (now, False)]


async def test_there_and_back_again_is_no_removal_for_immutable_ids(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    message = sandbox.deliver(mailbox, subject="there and back")[0]
    _, link = await graph.round(delta_of(mailbox))
    for folder in ("archive", "inbox"):
        sandbox.admin("POST", "move", {"mailbox": mailbox, "id": message["id"], "folder": folder})
    items, _ = await graph.round(link)
    assert [(one["id"], "@removed" in one) for one in items] == [(message["id"], False)]


async def test_mail_that_came_and_went_between_rounds_is_not_told(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    _, link = await graph.round(delta_of(mailbox))
    passing = sandbox.deliver(mailbox, subject="passing")[0]
    sandbox.admin("POST", "move", {"mailbox": mailbox, "id": passing["id"], "folder": "archive"})
    assert (await graph.round(link))[0] == []


async def test_what_arrives_during_a_listing_comes_in_the_next_round(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.deliver(mailbox, subject="{n}", count=5)
    first = await graph.call("GET", delta_of(mailbox, "$select=subject&$top=3"))
    late = sandbox.deliver(mailbox, subject="late")[0]
    rest, link = await graph.round(first.body["@odata.nextLink"])
    assert len(first.body["value"]) + len(rest) == 5
    assert [one["id"] for one in (await graph.round(link))[0]] == [late["id"]]


async def test_change_type_and_date_bound_a_round(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.deliver(mailbox, subject="old", receivedDateTime="2020-01-01T00:00:00Z")
    new = sandbox.deliver(mailbox, subject="new")[0]
    query = "$select=subject&changeType=created&$filter=receivedDateTime%20ge%202026-01-01T00:00:00Z"
    items, link = await graph.round(delta_of(mailbox, query))
    assert [one["id"] for one in items] == [new["id"]]
    sandbox.admin("POST", "patch", {"mailbox": mailbox, "id": new["id"], "changes": {"isRead": True}})
    assert (await graph.round(link))[0] == []


async def test_a_listing_can_come_newest_first(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    for day in (3, 1, 5, 2, 4):
        sandbox.deliver(mailbox, subject=str(day), receivedDateTime=f"2026-01-0{day}T00:00:00Z")
    first = await graph.call(
        "GET", delta_of(mailbox, "$select=subject&$orderby=receivedDateTime%20desc&$top=2")
    )
    assert [one["subject"] for one in first.body["value"]] == ["5", "4"]
    gone = next(one for one in sandbox.folder(mailbox, "inbox") if one["subject"] == "5")
    sandbox.admin("POST", "delete", {"mailbox": mailbox, "id": gone["id"]})
    rest, link = await graph.round(first.body["@odata.nextLink"], size=2)
    assert [one["subject"] for one in rest] == ["3", "2", "1"]
    removed, _ = await graph.round(link)
    assert [one["id"] for one in removed] == [gone["id"]]


async def test_a_filtered_round_lists_only_the_newest_messages_up_to_the_cap(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.deliver(mailbox, subject="{n}", count=12)
    sandbox.behave(delta_filter_cap=5)
    try:
        query = "$select=subject&$filter=receivedDateTime%20ge%202026-01-01T00:00:00Z"
        items, _ = await graph.round(delta_of(mailbox, query))
    finally:
        sandbox.behave(delta_filter_cap=5000)
    assert [one["subject"] for one in items] == ["8", "9", "10", "11", "12"]


@pytest.mark.parametrize(
    "query",
    [
        "$filter=isRead%20eq%20false",
        "$orderby=subject",
        "$search=x",
        "changeType=moved",
        "$deltatoken=invented",
        "$top=0",
    ],
)
async def test_what_delta_does_not_take_is_refused(graph: Conversation, mailbox: str, query: str) -> None:
    reply = await graph.call("GET", delta_of(mailbox, query))
    assert (reply.status, reply.code) == (400, "ErrorInvalidUrlQuery")


async def test_links_work_only_verbatim(sandbox: SandboxProcess, graph: Conversation, mailbox: str) -> None:
    sandbox.deliver(mailbox, subject="{n}", count=3)
    _, link = await graph.round(delta_of(mailbox))
    assert "%25" in link and "%2F" in link and "%2B" in link
    assert (await graph.call("GET", link)).status == 200
    decoded = unquote(link).replace(" ", "%20").replace('"', "%22")
    for spoilt in (decoded, link.lower(), f"{link}&$top=5"):
        assert (await graph.call("GET", spoilt)).status == 400


async def test_expired_state_is_410_with_the_way_to_begin_again(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    message = sandbox.deliver(mailbox, subject="x")[0]
    _, link = await graph.round(delta_of(mailbox))
    sandbox.admin("POST", "expire-delta")
    gone = await graph.call("GET", link)
    assert (gone.status, gone.code.lower()) == (410, "syncstatenotfound")
    again, _ = await graph.round(gone.headers["Location"])
    assert [one["id"] for one in again] == [message["id"]]


async def test_empty_pages_and_replays_can_be_asked_for(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    sandbox.deliver(mailbox, subject="{n}", count=9)
    sandbox.behave(delta_empty_page_share=1.0)
    try:
        first = await graph.call("GET", delta_of(mailbox))
        assert (first.body["value"], "@odata.nextLink" in first.body) == ([], True)
        items, _ = await graph.round(first.body["@odata.nextLink"], size=2)
        assert {one["subject"] for one in items} == {str(n) for n in range(1, 10)}
        sandbox.behave(delta_empty_page_share=0.0, delta_replay_share=1.0)
        items, _ = await graph.round(delta_of(mailbox), size=2)
    finally:
        sandbox.behave(delta_empty_page_share=0.0, delta_replay_share=0.0)
    assert len(items) > 9
    assert {one["subject"] for one in items} == {str(n) for n in range(1, 10)}


async def test_expansion_holds_for_the_whole_round(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str
) -> None:
    tag = "String {00020329-0000-0000-c000-000000000046} Name econeura"
    message = sandbox.deliver(mailbox, subject="x")[0]
    change = {"singleValueExtendedProperties": [{"id": tag, "value": "v"}]}
    query = f"$select=subject&$expand=singleValueExtendedProperties($filter=id%20eq%20'{escaped(tag)}')"
    await graph.call("PATCH", f"/users/{mailbox}/messages/{escaped(message['id'])}", change)
    items, _ = await graph.round(delta_of(mailbox, query))
    assert items[0]["singleValueExtendedProperties"] == [{"id": tag, "value": "v"}]
