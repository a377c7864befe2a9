"""Reading, categorizing, archiving, answering and following a folder, against the sandbox."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox_process import SandboxProcess
from workers.errors import Conflict, DeltaLinkExpired, NotFound, Throttled
from workers.graph import categories, changes, drafts, messages
from workers.graph.changes import Page
from workers.graph.client import Graph

TAG = drafts.tag_of("acme", "AAMk/x+y=", "respond:acuse")


def methods(sandbox: SandboxProcess, mailbox: str) -> list[str]:
    return [call["method"] for call in sandbox.calls(mailbox=mailbox)]


async def whole_round(graph: Graph, mailbox: str, **options: Any) -> tuple[list[Page], str]:
    """All pages of a round and the link the next one starts from."""
    pages = [page async for page in changes.pages(graph, mailbox, "inbox", **options)]
    assert [page.delta_link is None for page in pages] == [True] * (len(pages) - 1) + [False]
    return pages, str(pages[-1].delta_link)


def subjects(pages: list[Page]) -> list[str]:
    return [message["subject"] for page in pages for message in page.messages]


class TestReading:
    async def test_a_message_has_body_headers_and_the_names_of_its_attachments(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        attached = {"name": "a.pdf", "contentType": "application/pdf", "contentBytes": "aGVsbG8="}
        (delivered,) = sandbox.deliver(
            mailbox, subject="Pago", body="hola", headers={"X-Loop": "1"}, attachments=[attached]
        )
        message = await messages.get_message(graph, mailbox, delivered["id"])
        assert "hola" in message["body"]["content"]
        assert ("X-Loop", "1") in messages.headers_of(message)
        assert [(one["name"], one["contentType"]) for one in message["attachments"]] == [
            ("a.pdf", "application/pdf")
        ]
        assert "contentBytes" not in message["attachments"][0]

    async def test_without_attachments_one_call_is_all(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="Pago")
        await messages.get_message(graph, mailbox, delivered["id"])
        assert methods(sandbox, mailbox) == ["GET"]

    async def test_an_id_that_was_never_one_is_not_found(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        with pytest.raises(NotFound):
            await messages.get_message(graph, mailbox, "no such/message")


class TestCategories:
    async def test_categories_are_added_to_those_a_person_has_set(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="Factura")
        mine = {"mailbox": mailbox, "id": delivered["id"], "changes": {"categories": ["Ana"]}}
        sandbox.admin("POST", "patch", mine)
        assert await messages.add_categories(graph, mailbox, delivered["id"], ["Finanzas"]) == (
            "Ana",
            "Finanzas",
        )
        assert sandbox.folder(mailbox, "inbox")[0]["categories"] == ["Ana", "Finanzas"]

    async def test_a_known_message_takes_one_call_and_one_that_has_them_none(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        sandbox.deliver(mailbox, subject="Factura")
        (page,), _ = await whole_round(graph, mailbox)
        (known,) = page.messages
        await messages.add_categories(graph, mailbox, known["id"], ["Finanzas"], known=known)
        assert methods(sandbox, mailbox) == ["GET", "PATCH"]
        has = {**known, "categories": ["Finanzas"]}
        await messages.add_categories(graph, mailbox, known["id"], ["Finanzas"], known=has)
        assert methods(sandbox, mailbox) == ["GET", "PATCH"]

    async def test_what_a_person_sets_meanwhile_is_not_lost(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        sandbox.deliver(mailbox, subject="Factura")
        (page,), _ = await whole_round(graph, mailbox)
        (known,) = page.messages
        mine = {"mailbox": mailbox, "id": known["id"], "changes": {"categories": ["Ana"]}}
        sandbox.admin("POST", "patch", mine)
        await messages.add_categories(graph, mailbox, known["id"], ["Finanzas"], known=known)
        assert sandbox.folder(mailbox, "inbox")[0]["categories"] == ["Ana", "Finanzas"]

    async def test_a_message_that_never_stands_still_is_a_conflict(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="Factura")
        sandbox.fault("status", mailbox=mailbox, method="PATCH", status=412)
        with pytest.raises(Conflict):
            await messages.add_categories(graph, mailbox, delivered["id"], ["Finanzas"])

    async def test_a_master_category_is_made_once_with_its_colour(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        made = [
            await categories.ensure_categories(graph, mailbox, {name: "preset4"})
            for name in ("Finanzas", "FINANZAS")
        ]
        assert made == [1, 0]
        held = sandbox.admin("GET", "state", mailbox=mailbox)["mailboxes"][mailbox]["categories"]
        assert [one["color"] for one in held if one["displayName"].casefold() == "finanzas"] == ["preset4"]

    async def test_all_master_categories_are_seen_however_many_pages_they_are(
        self, mailbox: str, graph: Graph
    ) -> None:
        names = {f"Tema {number}" for number in range(23)}
        assert await categories.ensure_categories(graph, mailbox, dict.fromkeys(names, "preset0")) == 23
        assert await categories.category_names(graph, mailbox) > names


class TestArchive:
    async def test_a_message_is_moved_and_keeps_its_id(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="Boletín")
        assert await messages.archive(graph, mailbox, delivered["id"]) == delivered["id"]
        assert [one["id"] for one in sandbox.folder(mailbox, "archive")] == [delivered["id"]]


class TestReplies:
    async def test_a_reply_keeps_the_quoted_original_below_our_text(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(
            mailbox, subject="Pedido", body="¿Dónde está?", **{"from": "ana@x.example"}
        )
        draft = await drafts.create_reply(graph, mailbox, delivered["id"], tag=TAG)
        assert not drafts.is_prepared(draft, TAG)
        await drafts.update_draft_body(graph, mailbox, draft, "<p>Hola Ana</p>", tag=TAG)
        assert drafts.is_prepared(await drafts.get_draft(graph, mailbox, draft["id"]), TAG)
        await drafts.send_draft(graph, mailbox, draft["id"])
        (sent,) = sandbox.sent(mailbox)
        body = sent["body"]["content"]
        assert 0 < body.index("<p>Hola Ana</p>") < body.index("¿Dónde está?")
        assert sent["to"] == ["ana@x.example"]
        assert sent["subject"].endswith("Pedido")

    async def test_recipient_and_subject_can_be_set_over_graphs_choice(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(
            mailbox, subject="Hola", replyTo=["other@elsewhere.example"], **{"from": "ana@x.example"}
        )
        draft = await drafts.create_reply(graph, mailbox, delivered["id"], tag=TAG, to=["ana@x.example"])
        await drafts.update_draft_body(graph, mailbox, draft, "<p>Hola</p>", tag=TAG, subject="Recibido")
        await drafts.send_draft(graph, mailbox, draft["id"])
        (sent,) = sandbox.sent(mailbox)
        assert (sent["to"], sent["subject"]) == (["ana@x.example"], "Recibido")

    async def test_a_forward_keeps_attachments_and_goes_where_it_is_told(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        attached = {"name": "a.txt", "contentBytes": base64.b64encode(b"hello").decode()}
        (delivered,) = sandbox.deliver(mailbox, subject="Ayuda", attachments=[attached])
        draft = await drafts.create_forward(
            graph, mailbox, delivered["id"], tag=TAG, to=["desk@acme.example"]
        )
        await drafts.update_draft_body(graph, mailbox, draft, "<p>Para vosotros</p>", tag=TAG)
        await drafts.send_draft(graph, mailbox, draft["id"])
        (sent,) = sandbox.sent(mailbox)
        assert sent["to"] == ["desk@acme.example"]
        assert sent["attachments"] == ["a.txt"]

    async def test_the_tag_is_found_in_one_call_wherever_the_message_went(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="Pedido")
        assert await drafts.find_tagged(graph, mailbox, TAG) == []
        draft = await drafts.create_reply(graph, mailbox, delivered["id"], tag=TAG)
        (found,) = await drafts.find_tagged(graph, mailbox, TAG)
        assert (found.id, found.folder, found.is_draft) == (draft["id"], "drafts", True)
        await drafts.send_draft(graph, mailbox, draft["id"])
        (sent,) = await drafts.find_tagged(graph, mailbox, TAG)
        assert (sent.folder, sent.is_draft) == ("sentitems", False)
        # A person who tidies up must not make us send a second time.
        sandbox.admin("POST", "move", {"mailbox": mailbox, "id": sent.id, "folder": "deleteditems"})
        calls = len(sandbox.calls(mailbox=mailbox))
        assert len(await drafts.find_tagged(graph, mailbox, TAG)) == 1
        assert len(sandbox.calls(mailbox=mailbox)) == calls + 1

    async def test_the_tag_is_found_where_only_folders_can_be_searched(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="Pedido")
        draft = await drafts.create_reply(graph, mailbox, delivered["id"], tag=TAG)
        await drafts.send_draft(graph, mailbox, draft["id"])
        sandbox.fault("status", mailbox=mailbox, endpoint="/users/{user}/messages", status=400)
        (found,) = await drafts.find_tagged(graph, mailbox, TAG)
        assert found.folder == "sentitems"

    async def test_tags_of_ids_that_differ_by_letter_case_differ(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        upper, lower = (drafts.tag_of("acme", name, "respond:x") for name in ("AAMkA", "AAMka"))
        (delivered,) = sandbox.deliver(mailbox, subject="Pedido")
        await drafts.create_reply(graph, mailbox, delivered["id"], tag=upper)
        assert len(await drafts.find_tagged(graph, mailbox, upper)) == 1
        assert await drafts.find_tagged(graph, mailbox, lower) == []

    async def test_a_draft_that_a_person_edited_is_not_overwritten(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="Pedido")
        draft = await drafts.create_reply(graph, mailbox, delivered["id"], tag=TAG)
        edit = {"mailbox": mailbox, "id": draft["id"], "changes": {"subject": "Mejor así"}}
        sandbox.admin("POST", "patch", edit)
        with pytest.raises(Conflict):
            await drafts.update_draft_body(graph, mailbox, draft, "<p>Hola</p>", tag=TAG)

    async def test_sends_over_thirty_a_minute_wait_without_asking_graph(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="Pedido")
        refused = []
        for number in range(32):
            tag = drafts.tag_of("acme", f"{number}", "respond:x")
            draft = await drafts.create_reply(graph, mailbox, delivered["id"], tag=tag)
            try:
                await drafts.send_draft(graph, mailbox, draft["id"])
            except Throttled as told:
                refused.append(told.retry_after_s or 0)
        assert len(refused) == 2
        assert min(refused) > 30
        sends = sandbox.calls(mailbox=mailbox, endpoint="/users/{user}/messages/{message}/send")
        assert [call["status"] for call in sends] == [202] * 30


class TestChanges:
    async def test_a_folder_comes_in_pages_and_then_only_what_is_new(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        sandbox.deliver(mailbox, subject="a{n}", count=5)
        pages, link = await whole_round(graph, mailbox, page_size=2)
        assert sorted(subjects(pages)) == ["a1", "a2", "a3", "a4", "a5"]
        assert max(len(page.messages) for page in pages) == 2
        assert all(messages.is_whole(message) for page in pages for message in page.messages)
        sandbox.deliver(mailbox, subject="b")
        pages, link = await whole_round(graph, mailbox, link=link)
        assert subjects(pages) == ["b"]
        pages, _ = await whole_round(graph, mailbox, link=link)
        assert subjects(pages) == []

    async def test_our_own_edits_do_not_come_back(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="a")
        _, link = await whole_round(graph, mailbox)
        await messages.add_categories(graph, mailbox, delivered["id"], ["Finanzas"])
        pages, _ = await whole_round(graph, mailbox, link=link)
        assert subjects(pages) == []

    async def test_a_message_that_left_and_came_back_comes_again(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="a")
        _, link = await whole_round(graph, mailbox)
        for folder in ("archive", "inbox"):
            sandbox.admin("POST", "move", {"mailbox": mailbox, "id": delivered["id"], "folder": folder})
        pages, _ = await whole_round(graph, mailbox, link=link)
        assert [message["id"] for page in pages for message in page.messages] == [delivered["id"]]

    async def test_a_new_mailbox_starts_where_it_is_told(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        sandbox.deliver(mailbox, subject="old", receivedDateTime="2020-01-01T00:00:00Z")
        sandbox.deliver(mailbox, subject="new")
        since = datetime.now(UTC) - timedelta(days=1)
        pages, link = await whole_round(graph, mailbox, since=since)
        assert subjects(pages) == ["new"]
        sandbox.deliver(mailbox, subject="late but old", receivedDateTime="2020-01-02T00:00:00Z")
        pages, _ = await whole_round(graph, mailbox, link=link, since=since)
        assert subjects(pages) == []

    async def test_a_date_filter_that_hides_messages_is_done_without(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        sandbox.deliver(mailbox, subject="{n}", count=changes.FILTERED_ROUND_LIMIT + 20)
        seen = set()
        ends = []
        since = datetime.now(UTC) - timedelta(days=1)
        async for page in changes.pages(graph, mailbox, "inbox", since=since, page_size=1000):
            seen |= {message["id"] for message in page.messages}
            ends.append(page.delta_link)
        assert len(seen) == changes.FILTERED_ROUND_LIMIT + 20
        assert [end for end in ends if end is not None] == [ends[-1]]

    @pytest.mark.parametrize("status", [400, 404, 410])
    async def test_a_forgotten_link_says_start_again(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph, status: int
    ) -> None:
        sandbox.deliver(mailbox, subject="a")
        _, link = await whole_round(graph, mailbox)
        sandbox.fault("status", mailbox=mailbox, status=status, count=1)
        with pytest.raises(DeltaLinkExpired):
            await whole_round(graph, mailbox, link=link)

    async def test_a_link_that_was_damaged_says_start_again_too(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        _, link = await whole_round(graph, mailbox)
        with pytest.raises(DeltaLinkExpired):
            await whole_round(graph, mailbox, link=link[:-8])

    async def test_empty_pages_and_repeated_items_change_nothing(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        sandbox.deliver(mailbox, subject="a{n}", count=30)
        sandbox.behave(delta_empty_page_share=0.5, delta_replay_share=0.5)
        try:
            pages, _ = await whole_round(graph, mailbox, page_size=3)
        finally:
            sandbox.behave(delta_empty_page_share=0.0, delta_replay_share=0.0)
        assert set(subjects(pages)) == {f"a{number}" for number in range(1, 31)}
