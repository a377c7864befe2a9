"""Idempotency-Key: named requests are done once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.api_service import Api, Reply, serving
from workers.store.api_keys import new_key

ONE: dict[str, Any] = {"messageId": "m1", "organizationId": "solo"}


async def submit(
    api: Api, name: str, body: Any = ONE, path: str = "/emails/process", **headers: str
) -> Reply:
    return await api.post(path, body, headers={"Idempotency-Key": name, **headers})


async def test_a_repeated_request_gets_the_stored_answer_and_queues_nothing(api: Api) -> None:
    first = await submit(api, "order-1")
    again = await submit(api, "order-1")
    assert (first.status, again.status) == (202, 202)
    assert again.body == first.body and again.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert api.queued() == {"process_email": 1}
    (key,) = [key async for key in api.store.redis.scan_iter("*:idempotent:*")]
    assert 86000 < await api.store.redis.ttl(key) <= 86400


async def test_bulk_and_other_posts_too(api: Api) -> None:
    bulk = {"messageIds": ["a", "b"], "organizationId": "solo"}
    one, two = [await submit(api, "bulk-1", bulk, "/emails/process/bulk") for _ in range(2)]
    assert one.data == two.data and api.queued() == {"process_bulk": 1}
    paused = [await submit(api, "pause-1", {}, "/organizations/acme/pause") for _ in range(2)]
    assert paused[0].body == paused[1].body


async def test_another_name_is_another_request(api: Api) -> None:
    one, two = await submit(api, "n1"), await submit(api, "n2")
    assert one.data["jobId"] != two.data["jobId"]


@pytest.mark.parametrize(
    ("body", "path"),
    [({**ONE, "messageId": "m2"}, "/emails/process"), (ONE, "/mailboxes/info@solo.example/sync")],
    ids=["body", "route"],
)
async def test_another_request_under_the_name_is_refused(api: Api, body: Any, path: str) -> None:
    await submit(api, "n1")
    reply = await submit(api, "n1", body, path)
    assert (reply.status, reply.fields) == (422, ["Idempotency-Key"])
    assert api.queued() == {"process_email": 1}


async def test_while_the_first_is_in_hand_the_second_waits_its_turn(api: Api) -> None:
    first = asyncio.create_task(submit(api, "n1", Prefer="wait=60"))
    async with asyncio.timeout(10):
        while not api.queued():  # noqa: ASYNC110 the fact is in Redis
            await asyncio.sleep(0.002)
    second = await submit(api, "n1")
    assert (second.status, second.json["code"], second.headers["Retry-After"]) == (409, "in_hand", "1")
    job_id = api.waiting()[0].kwargs["job_id"]
    await api.store.jobs.fail([job_id], "not_found", "no", message_id="m1", at="2026-11-22T00:00:00.000Z")
    ended = await first
    assert (ended.status, ended.data["status"]) == (200, "failed")
    assert (await submit(api, "n1")).data == ended.data


async def test_many_at_once_are_done_once(api: Api) -> None:
    replies = await asyncio.gather(*(submit(api, "n1") for _ in range(20)))
    assert {reply.status for reply in replies} <= {202, 409}
    assert len({reply.data["jobId"] for reply in replies if reply.status == 202}) == 1
    assert api.queued() == {"process_email": 1}


async def test_what_was_refused_may_be_sent_again_under_its_name(api: Api) -> None:
    assert (await submit(api, "n1", {**ONE, "organizationId": "nobody"})).status == 404
    assert (await submit(api, "n1")).status == 202


@pytest.mark.parametrize("name", ["", "with space", "x" * 256, "ñ"])
async def test_an_odd_name_is_refused(api: Api, name: str) -> None:
    reply = await submit(api, name)
    assert (reply.status, reply.fields) == (422, ["Idempotency-Key"])


async def test_names_are_the_keys_own(redis_url: str, tmp_path: Path, api: Api) -> None:
    texts = []
    for name in ("one", "other"):
        key, text = new_key(name, ["submit"])
        await api.store.api_keys.add(key)
        texts.append(text)
    async with serving(redis_url, tmp_path) as guarded:
        one, other = [await submit(guarded, "n1", Authorization=f"Bearer {text}") for text in texts]
    assert (one.status, other.status) == (202, 202)
    assert one.data["jobId"] != other.data["jobId"]
