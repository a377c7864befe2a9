"""Corrections in the pipeline: in force from the next message on, for one organization, until taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.graph_access import ORGANIZATION
from tests.like_mails import corrections, rows, signatures
from tests.pipeline_world import World, a_world
from tests.sandbox_process import SandboxProcess
from workers.analysis.learning import Adjustment
from workers.errors import NotFound
from workers.pipeline.adjustments import Adjustments
from workers.pipeline.learning import Said, labels_of, learn

pytestmark = pytest.mark.sandbox(described=False)

KIND, RIGHT = "es-claims", "finance"
BOOKINGS = "es-bookings"
NO_RULES = ""


@pytest.fixture
async def world(sandbox: SandboxProcess, redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(sandbox, redis_url, tmp_path, NO_RULES, mode="observe") as world:
        yield world


def deliver(world: World, mail: Mapping[str, Any]) -> str:
    return world.deliver(**{name: mail[name] for name in ("subject", "from", "body")})


async def understood(world: World, mail: Mapping[str, Any]) -> dict[str, Any]:
    """How a mail comes out now, but for what differs between two of the same text."""
    message_id = deliver(world, mail)
    await world.handle()
    analysis = (await world.record(message_id)).analysis or {}
    return {name: value for name, value in analysis.items() if name not in ("id", "ms")}


async def teach(world: World, message_id: str, *, at_ms: int = 1, **said: str) -> dict[str, Any]:
    organization = world.context.organization(ORGANIZATION)
    told = Said(said, labels_of(said, organization), "person", "key:1", at_ms)
    return await learn(world.context, organization, world.mailbox, message_id, told)


def wrong_and_unseen() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    taught, _ = corrections(KIND, RIGHT)
    wrong = {id(example.signature) for example in taught}
    pairs = list(zip(rows(KIND), signatures(KIND), strict=True))
    return [row for row, mail in pairs if id(mail) in wrong], [
        row for row, mail in pairs if id(mail) not in wrong
    ]


async def taught(world: World, count: int = 6) -> list[str]:
    """Corrections of so many messages that are done; returns their ids."""
    ids = [deliver(world, row) for row in wrong_and_unseen()[0][:count]]
    await world.handle()
    for message_id in ids:
        await teach(world, message_id, category=RIGHT)
    return ids


async def test_a_correction_counts_from_the_next_message_on(world: World) -> None:
    row = wrong_and_unseen()[0][0]
    message_id = deliver(world, row)
    await world.handle()
    assert await world.context.store.ledger.content(world.mailbox, message_id) is None, (
        "only Graph has it now"
    )
    feedback = await teach(world, message_id, category=RIGHT)
    assert feedback["before"]["category"] != RIGHT and feedback["after"]["category"] == RIGHT
    again = await understood(world, row)
    assert again["category"] == RIGHT and again["model"].endswith(f"+{feedback['version']}")
    assert (await world.record(message_id)).analysis["category"] == feedback["before"]["category"]  # type: ignore[index]


async def test_without_any_correction_nothing_is_read_or_marked(world: World) -> None:
    analysis = await understood(world, rows(KIND)[0])
    assert "+" not in analysis["model"]
    assert await world.context.store.redis.keys("*adjustment*") == []


async def test_what_is_taken_back_was_never_said(world: World) -> None:
    mail = rows(KIND)[-1]
    before = await understood(world, mail)
    ids = await taught(world)
    assert await understood(world, mail) != before
    for message_id in ids:
        await world.context.store.corrections.withdraw(ORGANIZATION, message_id, by="key:1", source="person")
    after = await understood(world, mail)
    assert after | {"model": ""} == before | {"model": ""}


async def test_another_process_uses_what_was_learned_and_learns_nothing_itself(world: World) -> None:
    await taught(world)
    mail = rows(KIND)[-1]
    expected = await understood(world, mail)
    key = world.context.store.keys.adjustment(ORGANIZATION)
    packed = await world.context.store.redis.get(key)
    world.context.adjustments = Adjustments()
    assert await understood(world, mail) == expected
    assert await world.context.store.redis.get(key) == packed


async def test_a_new_model_learns_anew_from_what_was_kept(world: World) -> None:
    await taught(world)
    mail = rows(KIND)[-1]
    expected = await understood(world, mail)
    learned = Adjustment.from_bytes(await world.context.store.corrections.adjustment(ORGANIZATION) or b"")
    assert learned is not None
    object.__setattr__(learned, "model", "former")
    await world.context.store.corrections.save_adjustment(ORGANIZATION, learned.to_bytes())
    world.context.adjustments = Adjustments()
    assert await understood(world, mail) == expected


async def test_judged_before_it_is_learned(world: World) -> None:
    ids = await taught(world, 8)
    await teach(world, ids[0], at_ms=2, category="support")
    changes = [change async for change in world.context.store.corrections.changes(ORGANIZATION)]
    assert [change.status for change in changes] == ["replaced", *["kept"] * 8]
    assert changes[0].judged == {}, "what was learned of this very message proves nothing"
    judged = [change.judged["category"] for change in reversed(changes[1:])]
    assert not any(verdict.without for verdict in judged)
    assert not judged[0].learned and any(verdict.learned for verdict in judged[1:])


async def test_a_message_that_nobody_has_any_more_teaches_nothing(world: World) -> None:
    message_id = deliver(world, rows(KIND)[0])
    await world.handle()
    where = {"mailbox": world.mailbox, "id": message_id}
    for _ in ("to deleted items", "for good"):
        world.sandbox.admin("POST", "delete", where)
    with pytest.raises(NotFound):
        await teach(world, message_id, category=RIGHT)
    assert await world.context.store.corrections.all(ORGANIZATION) == (0, [])


async def test_no_text_of_the_message_is_kept(world: World) -> None:
    message_id = deliver(
        world, {"subject": "Zarzaparrilla", "from": "x@y.example", "body": "Quincalla y farfolla."}
    )
    await world.handle()
    await teach(world, message_id, category=RIGHT)
    (correction,) = (await world.context.store.corrections.all(ORGANIZATION))[1]
    kept = orjson.dumps(correction.said).decode() + correction.signature.decode("latin-1").lower()
    assert not any(word in kept for word in ("zarzaparrilla", "quincalla", "farfolla", "y.example"))


OWN_RULES = """
[organizations.acme.categories.reservas]
description = "Reservas de mesa, habitación o sala, y sus cambios"
[[organizations.acme.rules]]
name = "reservas"
when = { category = "reservas" }
then = [{ categorize = "Reservas" }]
[[organizations.acme.rules]]
name = "ventas"
when = { category = "sales" }
then = [{ categorize = "Ventas" }]
"""


async def test_a_category_of_their_own_is_taught_by_feedback_and_used_in_rules(
    sandbox: SandboxProcess, redis_url: str, tmp_path: Path
) -> None:
    async with a_world(sandbox, redis_url, tmp_path, OWN_RULES) as world:
        # What is of none of their categories tells them apart from other mail of theirs.
        lessons = {deliver(world, row): "reservas" for row in rows(BOOKINGS)[:16]}
        lessons |= {deliver(world, row): "support" for row in rows("es-claims")[:6]}
        await world.handle()
        for message_id, category in lessons.items():
            await teach(world, message_id, category=category)
        new = [deliver(world, row) for row in rows(BOOKINGS)[20:]]
        other = [deliver(world, row) for row in rows("es-claims")[16:]]
        await world.handle()
        found = [await world.record(message_id) for message_id in new]
        right = [record for record in found if (record.decision or {})["rule"] == "reservas"]
        assert len(right) >= len(found) * 0.6
        metadata = (right[0].result or {})["metadata"]
        assert (
            metadata["ownCategory"] == "reservas"
            and metadata["category"] in (right[0].analysis or {})["probabilities"]
        )
        assert [
            mail["categories"] for mail in world.folder("inbox") if mail["id"] == right[0].message_id
        ] == [["Reservas"]]
        mistaken = [((await world.record(message_id)).decision or {})["rule"] for message_id in other]
        assert mistaken.count("reservas") <= 2


async def test_a_file_of_examples_teaches_without_any_feedback(
    sandbox: SandboxProcess, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "reservas.jsonl").write_bytes(b"\n".join(orjson.dumps(row) for row in rows(BOOKINGS)[:20]))
    own = '[organizations.acme.categories.reservas]\nexamples = "reservas.jsonl"\n'
    async with a_world(sandbox, redis_url, tmp_path, own) as world:
        analyses = [await understood(world, row) for row in rows(BOOKINGS)[20:26]]
        assert sum(analysis.get("own_category") == "reservas" for analysis in analyses) >= 4
        world.configure(NO_RULES)
        assert "own_category" not in await understood(world, rows(BOOKINGS)[20])
