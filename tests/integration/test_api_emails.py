"""Messages handed in through the API: what is queued, what is refused, what is told."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from api.envelope import timestamp
from tests.api_service import SALES, SOLO, SUPPORT, Api, Reply, soon
from workers.store import NewMessage, PlannedStep

RESULT = {
    "messageId": "m1",
    "processed": True,
    "action": "archive",
    "confidence": 0.9,
    "metadata": {
        "category": "spam",
        "sentiment": "neutral",
        "urgency": "low",
        "language": "es",
        "abstained": False,
        "entities": [{"type": "email", "text": "a@b.es", "value": "a@b.es", "start": 0, "end": 6}],
    },
    "processingTime": 12,
    "actions": [{"type": "archive", "status": "done", "detail": ""}],
}


async def submit(api: Api, **given: Any) -> Reply:
    wait = given.pop("wait", None)
    headers = {} if wait is None else {"Prefer": f"wait={wait}"}
    return await api.post("/emails/process", {"messageId": "m1", **given}, headers=headers)


class TestOneMessage:
    async def test_is_queued_with_what_its_worker_needs(self, api: Api) -> None:
        reply = await submit(
            api, organizationId="acme", mailbox=SUPPORT.upper(), priority="urgent", force=True
        )
        assert reply.status == 202
        job_id = reply.data["jobId"]
        assert reply.data == {"jobId": job_id, "status": "queued"}
        assert reply.headers["Location"] == f"/jobs/{job_id}"
        (message,) = api.waiting("urgent")
        assert message.actor_name == "process_email"
        assert message.kwargs == {
            "organization_id": "acme",
            "mailbox": SUPPORT,
            "message_id": "m1",
            "job_id": job_id,
            "force": True,
        }
        assert message.options["correlation_id"] == reply.headers["X-Correlation-ID"]

    async def test_takes_the_callers_correlation_id_along(self, api: Api) -> None:
        reply = await api.post(
            "/emails/process",
            {"messageId": "m1", "organizationId": "solo"},
            headers={"X-Correlation-ID": "order-77"},
        )
        assert reply.headers["X-Correlation-ID"] == "order-77"
        assert api.waiting()[0].options["correlation_id"] == "order-77"

    async def test_goes_to_the_only_mailbox_of_its_organization(self, api: Api) -> None:
        assert (await submit(api, organizationId="solo")).status == 202
        assert api.waiting()[0].kwargs["mailbox"] == SOLO

    async def test_goes_to_the_mailbox_in_which_the_ledger_knows_it(self, api: Api) -> None:
        await api.store.ledger.record("acme", SALES, [NewMessage("m1", {"subject": "Hola"})])
        assert (await submit(api, organizationId="acme")).status == 202
        assert api.waiting()[0].kwargs["mailbox"] == SALES

    async def test_of_several_mailboxes_needs_one_named(self, api: Api) -> None:
        reply = await submit(api, organizationId="acme")
        assert (reply.status, reply.fields) == (422, ["mailbox"])
        assert api.queued() == {}

    @pytest.mark.parametrize("mailbox", [SOLO, "nobody@acme.example"])
    async def test_of_a_mailbox_of_another_is_refused(self, api: Api, mailbox: str) -> None:
        reply = await submit(api, organizationId="acme", mailbox=mailbox)
        assert (reply.status, reply.fields) == (422, ["mailbox"])
        assert api.queued() == {}

    async def test_of_an_unknown_organization_is_not_found(self, api: Api) -> None:
        reply = await submit(api, organizationId="org_999")
        assert (reply.status, reply.json["code"]) == (404, "unknown_organization")
        assert api.queued() == {}

    async def test_has_a_job_from_the_first_moment(self, api: Api) -> None:
        job_id = (await submit(api, organizationId="solo")).data["jobId"]
        job = (await api.get(f"/jobs/{job_id}")).data["job"]
        assert (job["id"], job["type"], job["status"], job["attempts"]) == (
            job_id, "process_email", "queued", 0,
        )  # fmt: skip
        assert (job["organizationId"], job["result"], job["error"], job["progress"]) == (
            "solo", None, None, None,
        )  # fmt: skip

    async def test_many_at_once_are_all_queued_each_with_its_job(self, api: Api) -> None:
        replies = await asyncio.gather(
            *(submit(api, organizationId="solo", messageId=f"m{number}") for number in range(50))
        )
        jobs = {reply.data["jobId"] for reply in replies}
        assert len(jobs) == 50
        assert {message.kwargs["job_id"] for message in api.waiting()} == jobs
        assert [(await api.store.jobs.get(job)) is not None for job in jobs] == [True] * 50


class TestWaiting:
    async def test_gets_the_result_of_what_ends_in_time(self, api: Api) -> None:
        waiting = asyncio.create_task(submit(api, organizationId="solo", wait=30))
        job_id = await first_job(api)
        await api.store.jobs.complete([job_id], RESULT, message_id="m1", at=timestamp())
        reply = await waiting
        assert reply.status == 200
        assert reply.data == {"jobId": job_id, "status": "completed", "result": RESULT, "error": None}
        assert reply.headers["Preference-Applied"] == "wait"

    async def test_gets_the_error_of_what_fails_in_time(self, api: Api) -> None:
        waiting = asyncio.create_task(submit(api, organizationId="solo", wait=30))
        job_id = await first_job(api)
        await api.store.jobs.fail([job_id], "not_found", "no such message", message_id="m1", at=timestamp())
        reply = await waiting
        assert reply.status == 200
        assert reply.data["status"] == "failed"
        assert reply.data["error"] == {"code": "not_found", "message": "no such message"}

    async def test_ends_with_the_queued_job_when_the_time_is_up(self, api: Api) -> None:
        reply = await submit(api, organizationId="solo", wait=1)
        assert (reply.status, reply.data["status"]) == (202, "queued")

    async def test_does_not_take_up_the_connections_of_others(self, api: Api) -> None:
        """More wait than the pool to Redis has connections; others are served meanwhile."""
        waiting = [
            asyncio.create_task(submit(api, organizationId="solo", messageId=f"m{number}", wait=60))
            for number in range(80)
        ]
        jobs: set[str] = set()
        async with asyncio.timeout(30):
            while len(jobs) < 80:
                jobs = {message.kwargs["job_id"] for message in api.waiting()}
                assert (await api.get("/health/ready")).status == 200
        at = timestamp()
        for job_id in jobs:
            await api.store.jobs.complete([job_id], RESULT, message_id="m1", at=at)
        async with asyncio.timeout(10):
            replies = await asyncio.gather(*waiting)
        assert {reply.status for reply in replies} == {200}
        assert {reply.data["jobId"] for reply in replies} == jobs

    @pytest.mark.parametrize("prefer", ["respond-async", "wait", "wait=soon", "wait=-1"])
    async def test_other_preferences_are_ignored(self, api: Api, prefer: str) -> None:
        reply = await api.post(
            "/emails/process", {"messageId": "m", "organizationId": "solo"}, headers={"Prefer": prefer}
        )
        assert reply.status == 202
        assert "Preference-Applied" not in reply.headers


class TestManyMessages:
    async def test_are_queued_by_the_hundred_as_one_job(self, api: Api) -> None:
        ids = [f"m{number}" for number in range(250)]
        reply = await api.post(
            "/emails/process/bulk", {"messageIds": ids, "organizationId": "solo", "priority": "normal"}
        )
        assert (reply.status, reply.data["accepted"], reply.data["status"]) == (202, 250, "queued")
        messages = api.waiting()
        assert [len(message.kwargs["message_ids"]) for message in messages] == [100, 100, 50]
        assert [name for message in messages for name in message.kwargs["message_ids"]] == ids
        job = (await api.get(reply.headers["Location"])).data["job"]
        assert job["progress"] == {"total": 250, "done": 0, "failed": 0}

    async def test_named_twice_count_once(self, api: Api) -> None:
        reply = await api.post(
            "/emails/process/bulk", {"messageIds": ["a", "b", "a"], "organizationId": "solo"}
        )
        assert reply.data["accepted"] == 2

    async def test_are_sorted_by_the_mailboxes_that_the_ledger_knows(self, api: Api) -> None:
        for mailbox, message_id in ((SUPPORT, "a"), (SALES, "b"), (SUPPORT, "c")):
            await api.store.ledger.record("acme", mailbox, [NewMessage(message_id, {})])
        await api.post(
            "/emails/process/bulk",
            {"messageIds": ["a", "b", "c"], "organizationId": "acme", "priority": "high"},
        )
        messages = api.waiting("high")
        assert [(message.kwargs["mailbox"], message.kwargs["message_ids"]) for message in messages] == [
            (SUPPORT, ["a", "c"]),
            (SALES, ["b"]),
        ]

    async def test_with_one_that_nobody_knows_need_a_mailbox_named(self, api: Api) -> None:
        await api.store.ledger.record("acme", SALES, [NewMessage("a", {})])
        reply = await api.post("/emails/process/bulk", {"messageIds": ["a", "b"], "organizationId": "acme"})
        assert (reply.status, reply.fields) == (422, ["mailbox"])
        assert api.queued() == {}

    @pytest.mark.parametrize("count", [0, 1001])
    async def test_are_one_to_a_thousand(self, api: Api, count: int) -> None:
        ids = [f"m{number}" for number in range(count)]
        reply = await api.post("/emails/process/bulk", {"messageIds": ids, "organizationId": "solo"})
        assert (reply.status, reply.fields) == (422, ["messageIds"])
        assert api.queued() == {}


class TestTrace:
    async def test_tells_everything_but_the_text(self, api: Api) -> None:
        ledger = api.store.ledger
        content = {"id": "m1", "subject": "Factura", "body": {"content": "SECRET TEXT"}}
        fields = {"subject": "Factura", "folder": "inbox", "received_at": "2026-11-22T10:00:00Z"}
        await ledger.record("acme", SUPPORT, [NewMessage("m1", fields, content=content)])
        record = await ledger.claim("acme", SUPPORT, "m1", owner="q1")
        step = PlannedStep(
            0, "categorize", "facturas", "done", categories=("Finanzas",), attempts=1, request_ids=("r-1",)
        )
        written = {
            "analysis": orjson.dumps({"category": "finance", "evidence": ["factura"]}),
            "decision": orjson.dumps({"rule": "facturas", "version": "abc"}),
            "step:0": step.to_json(),
        }
        await ledger.save(record, written, state="acting")
        await ledger.finish(
            record, "done", "", journal={}, fields={"result": orjson.dumps(RESULT)}, whoever_holds_it=True
        )
        reply = await api.get("/emails/m1?organizationId=acme")
        email = reply.data["email"]
        assert (email["state"], email["mailbox"], email["rule"]) == ("done", SUPPORT, "facturas")
        assert email["analysis"]["evidence"] == ["factura"]
        assert email["actions"][0]["requestIds"] == ["r-1"]
        assert email["result"] == RESULT
        assert [step["state"] for step in email["history"]] == ["recorded", "claimed", "acting", "done"]
        assert email["seenAt"] <= email["claimedAt"] <= email["finishedAt"]
        assert b"SECRET TEXT" not in reply.body

    async def test_is_found_by_ids_with_odd_characters(self, api: Api) -> None:
        message_id = "AAMk/a+b=%2F&?#c"
        await api.store.ledger.record("solo", SOLO, [NewMessage(message_id, {"subject": "x"})])
        escaped = "AAMk%2Fa%2Bb%3D%252F%26%3F%23c"
        reply = await api.get(f"/emails/{escaped}?organizationId=solo")
        assert reply.data["email"]["messageId"] == message_id

    async def test_of_another_organization_is_not_found(self, api: Api) -> None:
        await api.store.ledger.record("solo", SOLO, [NewMessage("m1", {})])
        assert (await api.get("/emails/m1?organizationId=acme")).status == 404
        assert (await api.get(f"/emails/m1?organizationId=acme&mailbox={SUPPORT}")).status == 404
        assert (await api.get("/emails/m1?organizationId=nobody")).status == 404

    async def test_needs_the_organization(self, api: Api) -> None:
        reply = await api.get("/emails/m1")
        assert (reply.status, reply.fields) == (422, ["organizationId"])


async def first_job(api: Api) -> str:
    """The job of the first message that is queued."""
    return str((await soon(api.waiting))[0].kwargs["job_id"])
