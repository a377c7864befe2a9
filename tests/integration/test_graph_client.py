"""Single calls against the sandbox over TLS: tokens, headers, what statuses become, Graph's limits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from multidict import CIMultiDict

from tests.graph_access import graph_of
from tests.sandbox_process import SandboxProcess
from workers import logs
from workers.errors import (
    AccessDenied,
    BadRequest,
    Conflict,
    DeltaLinkExpired,
    NotFound,
    TemporaryError,
    Throttled,
)
from workers.graph import changes, messages, paths, request_ids
from workers.graph.client import Graph
from workers.graph.replies import Reply
from workers.metrics import REGISTRY


async def read_inbox(graph: Graph, mailbox: str) -> None:
    await graph.get(paths.folder(mailbox, "inbox"), mailbox=mailbox)


class TestCalls:
    async def test_every_call_asks_for_immutable_ids_and_carries_the_correlation_id(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        (delivered,) = sandbox.deliver(mailbox, subject="Factura")
        correlation_id = str(uuid4())
        with logs.bound(correlation_id=correlation_id), request_ids.collected() as collected:
            await messages.get_message(graph, mailbox, delivered["id"])
            await messages.add_categories(graph, mailbox, delivered["id"], ["Finanzas"])
            await messages.archive(graph, mailbox, delivered["id"])
            pages = [page async for page in changes.pages(graph, mailbox, "inbox", page_size=7)]
        calls = sandbox.calls(mailbox=mailbox)
        assert all('IdType="ImmutableId"' in call["prefer"][0] for call in calls)
        assert {call["client_request_id"] for call in calls} == {correlation_id}
        assert collected == [call["request_id"] for call in calls]
        assert "odata.maxpagesize=7" in calls[-1]["prefer"][0]
        assert len(pages) == 1

    async def test_ids_with_odd_characters_arrive_as_they_are(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        delivered = sandbox.deliver(mailbox, subject="{n}", count=20)
        assert any("/" in one["id"] for one in delivered)
        assert any("+" in one["id"] for one in delivered)
        for one in delivered:
            assert (await messages.get_message(graph, mailbox, one["id"]))["subject"] == one["subject"]

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"status": 400}, BadRequest),
            ({"status": 403}, AccessDenied),
            ({"status": 404}, NotFound),
            ({"status": 409}, Conflict),
            ({"status": 412}, Conflict),
            ({"status": 429, "retry_after_s": 7}, Throttled),
            ({"status": 500}, TemporaryError),
            ({"status": 502}, TemporaryError),
            ({"status": 503, "retry_after_s": 7}, TemporaryError),
            ({"status": 504}, TemporaryError),
            ({"status": 509}, TemporaryError),
            ({"kind": "reset_before"}, TemporaryError),
            ({"kind": "reset_after"}, TemporaryError),
            ({"kind": "truncate"}, TemporaryError),
        ],
        ids=str,
    )
    async def test_what_goes_wrong_says_whether_waiting_helps(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph, fault: dict[str, float | str], error: type
    ) -> None:
        sandbox.fault(**{"kind": "status", "mailbox": mailbox, **fault})  # type: ignore[arg-type]
        with pytest.raises(error) as raised:
            # A POST: connections lost under a GET are tried again by aiohttp.
            await graph.post(f"{paths.user(mailbox)}/messages", mailbox=mailbox, json={"subject": "x"})
        assert type(raised.value) is error
        assert mailbox not in str(raised.value)
        if "retry_after_s" in fault:
            assert raised.value.retry_after_s == 7  # type: ignore[attr-defined]

    async def test_a_call_that_takes_too_long_is_given_up(
        self, sandbox: SandboxProcess, mailbox: str, redis_url: str, tmp_path: Path
    ) -> None:
        sandbox.fault("slow", mailbox=mailbox, delay_ms=3000)
        async with graph_of(sandbox, redis_url, tmp_path, graph_timeout_s=0.3) as graph:
            with pytest.raises(TemporaryError, match="timed out"):
                await read_inbox(graph, mailbox)

    async def test_a_429_holds_the_mailbox_in_other_processes_too(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph, redis_url: str, tmp_path: Path
    ) -> None:
        sandbox.fault("status", mailbox=mailbox, status=429, retry_after_s=30, count=1)
        with pytest.raises(Throttled):
            await read_inbox(graph, mailbox)
        async with graph_of(sandbox, redis_url, tmp_path) as other:
            with pytest.raises(Throttled) as told:
                await read_inbox(other, mailbox)
            assert 25 < (told.value.retry_after_s or 0) < 37
        assert len(sandbox.calls(mailbox=mailbox)) == 1

    async def test_a_429_of_the_tenant_holds_all_its_mailboxes(self, mailbox: str, graph: Graph) -> None:
        told = {"retry-after": "30", "x-ms-throttle-scope": "Tenant_Application/ReadWrite/app/tenant"}
        await graph.slow_down(graph.lane("other@acme.example"), Reply(429, CIMultiDict(told)))
        with pytest.raises(Throttled):
            await read_inbox(graph, mailbox)

    async def test_slowing_down_without_a_time_is_a_short_pause_first(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        sandbox.fault("status", mailbox=mailbox, status=429, count=1)
        with pytest.raises(Throttled) as told:
            await read_inbox(graph, mailbox)
        assert told.value.retry_after_s == 0.5

    async def test_our_limits_keep_graph_from_ever_saying_429(
        self, sandbox: SandboxProcess, mailbox: str, redis_url: str, tmp_path: Path
    ) -> None:
        sandbox.fault("slow", mailbox=mailbox, delay_ms=5)

        async def reading(process: Graph) -> None:
            done = 0
            while done < 30:
                try:
                    await read_inbox(process, mailbox)
                    done += 1
                except Throttled as told:
                    await asyncio.sleep(told.retry_after_s or 0)

        async with (
            graph_of(sandbox, redis_url, tmp_path) as one,
            graph_of(sandbox, redis_url, tmp_path) as two,
        ):
            await asyncio.gather(*(reading(process) for process in (one, two) * 4))
        state = sandbox.admin("GET", "state", mailbox=mailbox)
        assert {call["status"] for call in sandbox.calls(mailbox=mailbox)} == {200}
        assert state["mailboxes"][mailbox]["peakConcurrency"] == 4

    async def test_calls_are_counted_by_endpoint_without_ids(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        labels = {"endpoint": "/users/{id}/messages/{id}", "method": "GET", "status_code": "400"}
        name = "econeura_graph_api_calls_total"
        before = REGISTRY.get_sample_value(name, labels) or 0.0
        with pytest.raises(NotFound):
            await messages.get_message(graph, mailbox, "AAMk/gone+=")
        assert REGISTRY.get_sample_value(name, labels) == before + 1

    async def test_a_link_to_anywhere_else_never_gets_our_token(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        for link in ("https://evil.example/v1.0/users", "https://127.0.0.1:1/v1.0", "/users", "http://[::1"):
            with pytest.raises(BadRequest):
                await graph.get_link(link, mailbox=mailbox)
            with pytest.raises(DeltaLinkExpired):
                async for _ in changes.pages(graph, mailbox, "inbox", link=link):
                    pass
        assert sandbox.calls(mailbox=mailbox) == []
