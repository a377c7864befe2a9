"""Feedback through the API: what is taken, what is refused, what is told of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.envelope import timestamp
from tests.api_service import SUPPORT, Api, soon
from workers.store import Correction, Judged, NewMessage

ABOUT = "AAMk/1+="
PATH = "/emails/AAMk%2F1%2B%3D/feedback"
NOT_WAITING = {"Prefer": "wait=0"}
UNDERSTOOD = {"category": "general", "ownCategory": None, "urgency": "medium", "sentiment": "neutral"}


@pytest.fixture
async def known(api: Api) -> Api:
    """An API whose ledger knows a message."""
    await api.store.ledger.record("acme", SUPPORT, [NewMessage(ABOUT, {"subject": "Hola"})])
    return api


async def give(api: Api, **said: Any) -> Any:
    return await api.post(PATH, {"organizationId": "acme", **said}, headers=NOT_WAITING)


async def test_feedback_is_queued_before_fresh_mail_with_ids_and_labels_alone(known: Api) -> None:
    reply = await give(known, category="sales", urgency="high")
    assert reply.status == 202 and reply.headers["Location"] == f"/jobs/{reply.data['jobId']}"
    (message,) = known.waiting("urgent")
    assert message.actor_name == "learn_correction"
    at_ms = message.kwargs.pop("at_ms")
    assert at_ms > 0 and message.kwargs == {
        "organization_id": "acme",
        "mailbox": SUPPORT,
        "about": ABOUT,
        "said": {"category": "sales", "urgency": "high"},
        "by": "local",
        "job_id": reply.data["jobId"],
    }
    assert message.options["on_dead"] == {"actor": "note_lost_correction"}, (
        "the mail itself is none the worse"
    )


async def test_who_waits_is_told_what_was_learned(known: Api) -> None:
    learned = {
        "messageId": ABOUT, "category": "sales", "urgency": None, "sentiment": None, "source": "person",
        "status": "kept", "version": 7, "before": UNDERSTOOD, "after": {**UNDERSTOOD, "category": "sales"},
    }  # fmt: skip

    async def learn() -> None:
        (message,) = await soon(lambda: known.waiting("urgent"))
        jobs = known.store.jobs
        await jobs.complete((message.kwargs["job_id"],), learned, message_id=ABOUT, at=timestamp())

    reply, _ = await asyncio.gather(
        known.post(PATH, {"organizationId": "acme", "category": "sales"}), learn()
    )
    assert (reply.status, reply.data["status"], reply.data["feedback"]) == (200, "completed", learned)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, ""),
        ({"category": "pedidos"}, "category"),
        ({"category": ""}, "category"),
        ({"urgency": "very"}, "urgency"),
        ({"sentiment": "angry"}, "sentiment"),
        ({"category": "sales", "language": "es"}, "language"),
        ({"category": "sales", "mailbox": "info@solo.example"}, "mailbox"),
    ],
)
async def test_what_is_wrong_is_named(known: Api, given: dict[str, str], field: str) -> None:
    reply = await give(known, **given)
    assert (reply.status, reply.fields) == (422, [field])
    assert known.queued() == {}


async def test_a_message_that_is_not_the_organizations_is_not_there(known: Api) -> None:
    for organization, status in (("solo", 404), ("nobody", 404), ("acme", 202)):
        body = {"organizationId": organization, "category": "sales"}
        assert (await known.post(PATH, body, headers=NOT_WAITING)).status == status
    unknown = await known.post("/emails/nobody/feedback", {"organizationId": "acme", "category": "sales"})
    assert unknown.status == 404


async def test_feedback_is_in_the_audit_log_and_repeated_under_its_name_only_once(known: Api) -> None:
    headers = {**NOT_WAITING, "Idempotency-Key": "correction-1"}
    body = {"organizationId": "acme", "category": "sales"}
    first = await known.post(PATH, body, headers=headers)
    again = await known.post(PATH, body, headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true" and again.data == first.data
    assert known.queued() == {"learn_correction": 1}
    (change,) = (await known.get("/audit")).data["changes"]
    assert (change["what"], change["organizationId"], change["target"]) == ("feedback.given", "acme", ABOUT)
    assert change["details"] == {"category": "sales"}


async def test_what_was_said_is_shown_and_can_be_taken_back(known: Api) -> None:
    correction = Correction(ABOUT, 1_795_000_000_000, "person", "key:1", {"category": "sales"}, {}, b"")
    await known.store.corrections.keep("acme", correction, {"category": Judged(False, True)})
    trace = "/emails/AAMk%2F1%2B%3D?organizationId=acme"
    feedback = (await known.get(trace)).data["email"]["feedback"]
    assert (feedback["category"], feedback["urgency"], feedback["source"]) == ("sales", None, "person")
    learning = (await known.get("/organizations/acme/learning")).data["learning"]
    assert learning["corrections"] == {"person": 1, "category": 0, "folder": 0}
    assert learning["agreement"] == {"category": {"judged": 1, "rightWithout": 0, "rightLearned": 1}}
    withdrawn = await known.request("DELETE", f"{PATH}?organizationId=acme")
    assert withdrawn.status == 200 and withdrawn.data["version"] > learning["version"]
    assert (await known.get(trace)).data["email"]["feedback"] is None
    assert (await known.request("DELETE", f"{PATH}?organizationId=acme")).status == 404
    changes = (await known.get("/organizations/acme/learning")).data["learning"]["changes"]
    assert [(change["status"], change["category"]) for change in changes] == [
        ("withdrawn", None),
        ("kept", "sales"),
    ]


async def test_an_organization_that_taught_nothing_has_version_0(api: Api) -> None:
    learning = (await api.get("/organizations/solo/learning")).data["learning"]
    assert (learning["version"], learning["agreement"], learning["changes"]) == (0, {}, [])
