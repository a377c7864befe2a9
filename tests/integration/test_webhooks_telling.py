"""One webhook told of one event: signed, logged at every try, and not told again what it was told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
import redis.asyncio

from tests.lent_context import ACME, lent
from tests.webhook_receiver import Receiver, receiving
from workers.errors import TemporaryError
from workers.graph.tls import trust
from workers.organizations import Webhook
from workers.pipeline import telling
from workers.pipeline.context import Context
from workers.settings import load_settings
from workers.store.webhooks import KEPT, Delivery
from workers.webhooks.event import Event
from workers.webhooks.sender import Sender

EVENT = Event("evt_1", "email.done", "acme", "2026-11-22T10:00:00.000Z", {"messageId": "m1"})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


class Desk:
    """Tells the webhook "crm" of organization acme."""

    def __init__(self, context: Context, sender: Sender) -> None:
        self.context = context
        self._sender = sender

    async def tell(self, event: Event = EVENT, *, attempt: int = 1, again: bool = False) -> None:
        await telling.tell(
            self.context,
            self._sender,
            "crm",
            event,
            attempt=attempt,
            is_last_attempt=attempt == 3,
            at_least_s=5.0,
            again=again,
        )

    async def log(self) -> list[Delivery]:
        return await self.context.store.webhooks.deliveries("acme", "crm", limit=1000)


@asynccontextmanager
async def a_desk(url: str, redis_url: str, secret: Path) -> AsyncIterator[Desk]:
    webhook = Webhook(url=url, secret=(f"file:{secret}",))
    settings = load_settings(redis_url=redis_url)
    async with (
        lent(settings, ACME.model_copy(update={"webhooks": {"crm": webhook}})) as context,
        Sender.open(trust(None), [ip_network("127.0.0.0/8")]) as sender,
    ):
        yield Desk(context, sender)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    return path


@pytest.fixture
async def desk(receiver: Receiver, redis_url: str, secret: Path) -> AsyncIterator[Desk]:
    async with a_desk(receiver.url, redis_url, secret) as desk:
        yield desk


async def test_what_was_told_is_told_again_only_when_asked(desk: Desk, receiver: Receiver) -> None:
    await desk.tell()
    await desk.tell()
    assert len(receiver.heard) == 1
    await desk.tell(again=True)
    first, second = receiver.heard
    assert first.id == second.id == "evt_1" and first.body == second.body
    (delivery,) = await desk.log()
    assert (delivery.status, delivery.status_code, delivery.attempts) == ("delivered", 204, 1)
    assert delivery.data == {"messageId": "m1"}


async def test_every_try_is_in_the_log_and_the_last_one_fails(desk: Desk, receiver: Receiver) -> None:
    receiver.answer = lambda _: (503, {"Retry-After": "60"}, b"")
    for attempt, status in ((1, "retrying"), (2, "retrying"), (3, "failed")):
        with pytest.raises(TemporaryError, match="503: refused") as failed:
            await desk.tell(attempt=attempt)
        assert (failed.value.retry_after_s, failed.value.code) == (60, "webhook_failed")
        (delivery,) = await desk.log()
        assert (delivery.status, delivery.attempts, delivery.error) == (status, attempt, "503: refused")
    receiver.answer = lambda _: (500, {"Retry-After": "1"}, b"")
    with pytest.raises(TemporaryError) as failed:
        await desk.tell()
    # Sooner than our own patience it is not asked again, whatever it wishes.
    assert failed.value.retry_after_s == 5.0


@pytest.mark.parametrize(
    ("content", "problem"), [("hunter2", "secret cannot be used"), (None, "cannot read")]
)
async def test_a_secret_that_cannot_be_used_sends_nothing(
    receiver: Receiver, redis_url: str, tmp_path: Path, content: str | None, problem: str
) -> None:
    path = tmp_path / "other"
    if content:
        path.write_text(content)
    async with a_desk(receiver.url, redis_url, path) as desk:
        with pytest.raises(TemporaryError, match=problem) as failed:
            await desk.tell()
    assert "hunter2" not in str(failed.value) and receiver.heard == []


async def test_a_webhook_that_is_gone_is_told_nothing(desk: Desk, receiver: Receiver) -> None:
    await desk.tell(Event("evt_1", "email.done", "nobody", "", {}))
    assert receiver.heard == [] and await desk.log() == []


async def test_the_log_keeps_the_last_ones(desk: Desk, async_redis: redis.asyncio.Redis) -> None:
    webhooks, keys = desk.context.store.webhooks, desk.context.store.keys
    delivery = Delivery("", "email.done", "", "delivered", 1, 204, "", 3, "")
    for number in range(KEPT + 10):
        given = Delivery(**{**vars(delivery), "id": f"evt_{number}"})
        await webhooks.log("acme", "crm", given)
    shown = await webhooks.deliveries("acme", "crm", limit=2 * KEPT)
    assert len(shown) == KEPT
    assert await async_redis.hlen(keys.webhook_log("acme", "crm")) == KEPT
    assert await async_redis.ttl(keys.webhook_order("acme", "crm")) > 86400
    assert await webhooks.delivery("acme", "crm", "evt_0") is None
