"""What is sent to a webhook over a real connection, and what is refused before there is one."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from tests.webhook_receiver import Heard, Receiver, receiving
from workers.errors import Busy
from workers.webhooks.addresses import FORBIDDEN, Network
from workers.webhooks.sender import Sender, Told

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))
WEBHOOK = ("acme", "crm")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


async def post(
    url: str, *, allowed: tuple[Network, ...] = LOOPBACK, timeout_s: float = 5.0, body: bytes = b"{}"
) -> Told:
    async with Sender.open(ssl.create_default_context(), allowed, timeout_s=timeout_s) as sender:
        return await sender.post(WEBHOOK, url, {"webhook-id": "evt_1"}, body)


async def test_a_body_arrives_as_it_was_signed(receiver: Receiver) -> None:
    told = await post(f"{receiver.url}/hooks?x=1", body=b'{"a": 1}')
    assert (told.status, told.problem) == (204, "")
    (heard,) = receiver.heard
    assert (heard.path, heard.body, heard.id) == ("/hooks?x=1", b'{"a": 1}', "evt_1")
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["user-agent"].startswith("ECONEURA-Workers/")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: (status, {"Location": f"{receiver.url}/elsewhere"}, b"")
    told = await post(receiver.url)
    assert told.status == status and "redirects" in told.problem
    assert [heard.path for heard in receiver.heard] == ["/"]


@pytest.mark.parametrize(
    ("status", "headers", "wish"),
    [
        (400, {}, None),
        (410, {}, None),
        (429, {"Retry-After": "120"}, 120),
        (503, {"Retry-After": "999999999999"}, 3600),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        (503, {"Retry-After": "-1"}, None),
    ],
)
async def test_a_refusal_is_told_with_its_wish_to_wait(
    receiver: Receiver, status: int, headers: dict[str, str], wish: float | None
) -> None:
    receiver.answer = lambda _: (status, headers, b"no")
    told = await post(receiver.url)
    assert (told.status, told.problem, told.retry_after_s) == (status, f"{status}: refused", wish)


async def test_an_answer_of_any_length_costs_nothing(receiver: Receiver) -> None:
    receiver.answer = lambda _: (200, {}, bytes(50_000_000))
    told = await post(receiver.url)
    assert told.problem == "" and told.duration_ms < 4000


async def test_who_does_not_answer_is_left(receiver: Receiver) -> None:
    is_over = threading.Event()

    def hang(_: Heard) -> tuple[int, dict[str, str], bytes]:
        is_over.wait(20)
        return 204, {}, b""

    receiver.answer = hang
    told = await post(receiver.url, timeout_s=0.3)
    is_over.set()
    assert (told.status, told.problem) == (0, "no answer within 0.3 s")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "[::ffff:127.0.0.1]"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_loopback_is_refused_under_every_name(receiver: Receiver, scheme: str, host: str) -> None:
    port = receiver.url.rpartition(":")[2]
    told = await post(f"{scheme}://{host}:{port}/", allowed=())
    # Some ways to write a number are no host at all to aiohttp.
    assert (told.status, told.problem) in [(0, FORBIDDEN), (0, "no answer: InvalidUrlClientError")]
    assert receiver.heard == []


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "168.63.129.16", "[fd00:ec2::254]", "[::]"])
async def test_addresses_inside_are_refused_before_a_connection(host: str) -> None:
    told = await post(f"https://{host}/latest/meta-data/", allowed=LOOPBACK)
    assert told.problem == FORBIDDEN and told.duration_ms < 1000


async def test_nothing_goes_in_clear_text_to_the_open_internet() -> None:
    assert (await post("http://8.8.8.8/", allowed=LOOPBACK)).problem == FORBIDDEN


async def test_a_name_that_nobody_has_is_told() -> None:
    assert (await post("https://nowhere.invalid/")).problem.startswith("cannot be reached")


async def test_a_certificate_that_nobody_vouches_for_is_refused(receiver: Receiver) -> None:
    told = await post(receiver.url.replace("http:", "https:"))
    assert told.status == 0 and told.problem.startswith(("cannot be reached", "no answer"))
    assert receiver.heard == []


async def test_one_webhook_is_sent_so_many_at_once(receiver: Receiver) -> None:
    is_over = threading.Event()

    def hang(_: Heard) -> tuple[int, dict[str, str], bytes]:
        is_over.wait(20)
        return 204, {}, b""

    receiver.answer = hang
    async with Sender.open(ssl.create_default_context(), LOOPBACK) as sender:
        held = [asyncio.create_task(sender.post(WEBHOOK, receiver.url, {}, b"{}")) for _ in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await sender.post(WEBHOOK, receiver.url, {}, b"{}")
        is_over.set()
        assert [told.status for told in await asyncio.gather(*held)] == [204] * 8
