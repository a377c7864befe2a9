"""What people do by hand in the mailbox: learned where it is clear, ours and the unclear left aside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.graph_access import ORGANIZATION
from tests.pipeline_world import World, a_world
from tests.sandbox_process import SandboxProcess, running_sandbox
from workers.store import Correction

RULES = """
[[organizations.acme.rules]]
name = "facturas"
when = { category = "finance", min_confidence = 0.0 }
then = [{ categorize = "Finanzas" }]
[[organizations.acme.rules]]
name = "basura"
when = { category = "spam", min_confidence = 0.0 }
then = ["archive"]
[[organizations.acme.rules]]
name = "ventas"
when = { category = "sales", min_confidence = 0.99 }
then = [{ categorize = "Comercial" }]
"""
INVOICE = {
    "subject": "Factura 2231",
    "body": "Adjuntamos la factura de marzo por 121,00 euros, IVA incluido.",
}
SPAM = {
    "subject": "You have WON a prize!!!",
    "body": "Congratulations winner! Claim your lottery prize of $5,000,000 now, send your bank details.",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--no-samples") as running:
        yield running


@pytest.fixture
async def world(sandbox: SandboxProcess, redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(sandbox, redis_url, tmp_path, RULES) as world:
        yield world


async def handled(world: World, mail: dict[str, str], rule: str) -> str:
    """A message that is done by a rule, and our effects on it seen in delta, too."""
    message_id = world.deliver(**mail)
    await world.handle()
    assert ((await world.record(message_id)).decision or {})["rule"] == rule
    await world.handle()
    assert await correction(world, message_id) is None, "what we did ourselves teaches nothing"
    return message_id


async def correction(world: World, message_id: str) -> Correction | None:
    return await world.context.store.corrections.get(ORGANIZATION, message_id)


async def set_categories(world: World, message_id: str, *names: str) -> None:
    changes = {"mailbox": world.mailbox, "id": message_id, "changes": {"categories": list(names)}}
    world.sandbox.admin("POST", "patch", changes)
    await world.handle()


async def move(world: World, message_id: str, folder: str) -> None:
    world.sandbox.admin("POST", "move", {"mailbox": world.mailbox, "id": message_id, "folder": folder})
    await world.handle()


async def test_a_category_changed_by_hand_is_a_weak_correction(world: World) -> None:
    message_id = await handled(world, INVOICE, "facturas")
    await set_categories(world, message_id, "Comercial")
    learned = await correction(world, message_id)
    assert learned is not None
    assert (learned.source, learned.said, learned.by) == ("category", {"category": "sales"}, "mailbox")
    version = await world.context.store.corrections.version(ORGANIZATION)
    changes = {"mailbox": world.mailbox, "id": message_id, "changes": {"isRead": True}}
    world.sandbox.admin("POST", "patch", changes)
    await world.handle()
    assert await world.context.store.corrections.version(ORGANIZATION) == version, "said once"


@pytest.mark.parametrize(
    "names",
    [("Finanzas", "Comercial"), ("Comercial", "support"), ("Urgente",), (), ("Finanzas", "Proyecto X")],
    ids=" ".join,
)
async def test_what_may_mean_more_than_one_thing_means_nothing(world: World, names: tuple[str, ...]) -> None:
    message_id = await handled(world, INVOICE, "facturas")
    await set_categories(world, message_id, *names)
    assert await correction(world, message_id) is None


async def test_moved_to_junk_by_hand_is_spam_until_it_is_moved_back(world: World) -> None:
    message_id = await handled(world, INVOICE, "facturas")
    await move(world, message_id, "junkemail")
    learned = await correction(world, message_id)
    assert learned is not None and (learned.source, learned.said) == ("folder", {"category": "spam"})
    await move(world, message_id, "inbox")
    assert await correction(world, message_id) is None


async def test_moved_elsewhere_says_nothing(world: World) -> None:
    message_id = await handled(world, INVOICE, "facturas")
    await move(world, message_id, "archive")
    assert await correction(world, message_id) is None


async def test_brought_back_from_our_archive_it_is_no_spam(world: World) -> None:
    message_id = await handled(world, SPAM, "basura")
    await move(world, message_id, "inbox")
    learned = await correction(world, message_id)
    assert learned is not None and learned.source == "folder"
    assert "spam" not in learned.labels["category"] and len(learned.labels["category"]) == 7


async def test_a_persons_word_is_not_overruled_by_what_is_seen(world: World) -> None:
    message_id = await handled(world, INVOICE, "facturas")
    said = Correction(message_id, 1, "person", "key:1", {"category": "finance"}, {}, b"")
    await world.context.store.corrections.keep(ORGANIZATION, said, {})
    await set_categories(world, message_id, "Comercial")
    assert await correction(world, message_id) == said
