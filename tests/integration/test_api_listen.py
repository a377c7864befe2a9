"""The webhook: the handshake, what is genuine, what is dropped, and what follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api_service import SALES, SOLO, SUPPORT, Api, serving
from tests.redis_process import RedisProcess
from workers.metrics import REGISTRY
from workers.store import Subscription


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(redis_url, tmp_path) as api:
        await subscribe(api, "s-support", "acme", SUPPORT)
        await subscribe(api, "s-sales", "acme", SALES)
        await subscribe(api, "s-solo", "solo", SOLO)
        yield api


async def subscribe(api: Api, name: str, organization_id: str, mailbox: str) -> None:
    times = ("2099-01-01T00:00:00+00:00", "2026-11-22T10:00:00+00:00")
    await api.store.subscriptions.save(
        Subscription(name, organization_id, mailbox, "inbox", f"state-{name}", *times)
    )


def note(name: str, *, state: str | None = None, **more: Any) -> dict[str, Any]:
    """A notification as Graph words it, genuine unless another state is given."""
    return {
        "subscriptionId": name,
        "clientState": f"state-{name}" if state is None else state,
        "changeType": "created",
        "resource": "Users/u/Messages/m",
        "tenantId": "t",
        "resourceData": {"@odata.type": "#Microsoft.Graph.Message", "id": "m"},
        **more,
    }


async def listen(api: Api, *items: Any) -> int:
    return (await api.post("/listen", {"value": list(items)})).status


def dropped() -> float:
    labels = {"type": "notification_dropped", "component": "listen", "severity": "warning"}
    return REGISTRY.get_sample_value("econeura_errors_total", labels) or 0.0


async def test_the_handshake_gives_the_token_back_decoded(api: Api) -> None:
    reply = await api.request(
        "POST", "/listen?validationToken=Validation%3a+Testing+client+application+a%2Bb%2F%3D%26"
    )
    assert (reply.status, reply.body) == (200, b"Validation: Testing client application a+b/=&")
    assert reply.headers["Content-Type"].startswith("text/plain")


async def test_the_handshake_comes_before_anything_else(api: Api) -> None:
    reply = await api.request(
        "POST", "/listen?validationToken=t", data=b"{no json", headers={"Content-Type": "text/plain"}
    )
    assert (reply.status, reply.body) == (200, b"t")


async def test_a_notification_queues_a_look_at_its_mailbox(api: Api) -> None:
    assert await listen(api, note("s-support")) == 202
    (message,) = api.waiting("high")
    assert message.actor_name == "sync_mailbox"
    assert (message.kwargs["organization_id"], message.kwargs["mailbox"]) == ("acme", SUPPORT)
    seconds, _ = await api.store.redis.time()
    assert 0 <= seconds * 1000 + 1000 - message.kwargs["notified_at_ms"] < 60_000


async def test_many_together_queue_one_look_a_mailbox(api: Api) -> None:
    burst = [note(name) for name in ("s-support", "s-sales", "s-solo")] * 10
    assert set(await asyncio.gather(*(listen(api, *burst) for _ in range(20)))) == {202}
    assert sorted(message.kwargs["mailbox"] for message in api.waiting("high")) == sorted(
        [SUPPORT, SALES, SOLO]
    )


async def test_what_comes_after_a_look_began_gets_one_of_its_own(api: Api) -> None:
    await listen(api, note("s-support"))
    await api.store.mailboxes.sync_started(SUPPORT)
    await listen(api, note("s-support"))
    assert api.queued() == {"sync_mailbox": 2}


async def test_what_is_not_genuine_is_counted_and_dropped(api: Api) -> None:
    before = dropped()
    forged: list[Any] = [
        note("s-support", state="state-s-sales"),
        note("s-support", state=""),
        note("s-nobody"),
        note("x" * 5000),
        {"clientState": "state-s-support"},
        {"subscriptionId": ["s-support"], "clientState": {"a": 1}},
        "text", None, 7, [], {},
    ]  # fmt: skip
    assert await listen(api, *forged) == 202
    assert api.queued() == {}
    assert dropped() - before == len(forged)


async def test_forged_items_do_not_harm_the_genuine_beside_them(api: Api) -> None:
    assert await listen(api, note("s-support", state="forged"), note("s-solo"), note("s-nobody")) == 202
    assert [message.kwargs["mailbox"] for message in api.waiting("high")] == [SOLO]


async def test_a_subscription_that_was_made_just_now_is_known(api: Api) -> None:
    assert await listen(api, note("s-new")) == 202
    await subscribe(api, "s-new", "solo", SOLO)
    assert await listen(api, note("s-new")) == 202
    assert [message.kwargs["mailbox"] for message in api.waiting("high")] == [SOLO]


async def test_a_mailbox_of_an_organization_that_is_gone_is_dropped(api: Api) -> None:
    await subscribe(api, "s-former", "former", "x@former.example")
    assert await listen(api, note("s-former")) == 202
    assert api.queued() == {}


@pytest.mark.parametrize("event", ["reauthorizationRequired", "subscriptionRemoved", "missed"])
async def test_a_lifecycle_event_is_queued_once(api: Api, event: str) -> None:
    item = {"subscriptionId": "s-support", "clientState": "state-s-support", "lifecycleEvent": event}
    assert await listen(api, item, item) == 202
    (message,) = api.waiting("high")
    assert message.actor_name == "handle_lifecycle"
    assert message.kwargs == {
        "organization_id": "acme", "mailbox": SUPPORT, "folder": "inbox",
        "subscription_id": "s-support", "event": event,
    }  # fmt: skip


async def test_a_forged_lifecycle_event_does_nothing(api: Api) -> None:
    item = {"subscriptionId": "s-support", "clientState": "no", "lifecycleEvent": "subscriptionRemoved"}
    assert await listen(api, item) == 202
    assert api.queued() == {}


async def test_an_event_of_another_kind_is_taken_as_a_notification(api: Api) -> None:
    assert await listen(api, note("s-support", lifecycleEvent="newAndUnheardOf")) == 202
    assert api.queued() == {"sync_mailbox": 1}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"value": 1}', b'{"value": null}', b"\xff\xfe"])
async def test_what_graph_would_never_post_is_refused(api: Api, body: bytes) -> None:
    reply = await api.request("POST", "/listen", data=body, headers={"Content-Type": "application/json"})
    assert (reply.status, reply.json["code"]) == (400, "invalid_notification")


async def test_an_empty_list_is_taken(api: Api) -> None:
    assert await listen(api) == 202


async def test_what_could_not_be_stored_is_refused_so_that_graph_repeats_it(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path / "redis").start()
    try:
        async with serving(server.url, tmp_path) as api:
            await subscribe(api, "s-support", "acme", SUPPORT)
            assert await listen(api) == 202
            server.stop()
            reply = await api.post("/listen", {"value": [note("s-support")]})
            assert (reply.status, reply.json["code"]) == (503, "queue_unavailable")
            assert int(reply.headers["Retry-After"]) >= 1
            server.start()
            assert await listen(api, note("s-support")) == 202
            assert api.queued() == {"sync_mailbox": 1}
    finally:
        server.stop()


async def test_a_look_that_was_not_queued_is_not_taken_for_queued(api: Api) -> None:
    """The queue refuses after the mailbox was marked: the next one that asks must queue it."""
    keys = api.queue.keys[0]
    await api.store.redis.set(keys["counts"], "not a hash")
    assert await listen(api, note("s-support")) == 500
    await api.store.redis.delete(keys["counts"])
    assert await listen(api, note("s-support")) == 202
    assert api.queued() == {"sync_mailbox": 1}
