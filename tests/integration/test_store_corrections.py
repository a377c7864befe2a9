"""What people said, on a real Redis: which word stands, what goes when there are too many or it must."""

from __future__ import annotations

import pytest

from workers.settings import load_settings
from workers.store import Correction, Corrections, Judged, Kept, NewMessage, Store
from workers.store.corrections import MOST_CORRECTIONS, Source

ORG = "acme"


@pytest.fixture
def store(async_redis: object, redis_url: str) -> Store:
    return Store.over(async_redis, load_settings(redis_url=redis_url))


@pytest.fixture
def kept(store: Store) -> Corrections:
    return store.corrections


def said(category: str, *, at_ms: int = 1000, source: Source = "person", about: str = "m1") -> Correction:
    labels = {"category": (category,)}
    return Correction(about, at_ms, source, "key:1", {"category": category}, labels, b"\x00\n\xffnumbers")


async def test_a_correction_reads_back_as_it_was_kept(kept: Corrections) -> None:
    correction = said("sales")
    first = await kept.keep(ORG, correction, {})
    assert first.status == "kept" and first.version > 0
    assert await kept.get(ORG, "m1") == correction
    assert await kept.all(ORG) == (first.version, [correction])
    assert await kept.all("solo") == (0, [])
    assert await kept.known(ORG, ["m1", "m2"]) == {"m1"}


async def test_a_later_word_of_a_person_stands_whatever_order_they_come_in(kept: Corrections) -> None:
    await kept.keep(ORG, said("sales", at_ms=2000), {})
    assert (await kept.keep(ORG, said("support", at_ms=3000), {})).status == "replaced"
    version = await kept.version(ORG)
    assert await kept.keep(ORG, said("spam", at_ms=2500), {}) == Kept("older", version)
    correction = await kept.get(ORG, "m1")
    assert correction is not None and correction.said == {"category": "support"}


async def test_what_only_seems_so_does_not_outrank_a_person(kept: Corrections) -> None:
    await kept.keep(ORG, said("sales", at_ms=1000, source="category"), {})
    assert (await kept.keep(ORG, said("support", at_ms=2000), {})).status == "replaced"
    assert (await kept.keep(ORG, said("spam", at_ms=9000, source="folder"), {})).status == "outranked"


async def test_versions_rise_with_every_change_and_with_nothing_else(kept: Corrections) -> None:
    versions = [(await kept.keep(ORG, said("sales", about=f"m{number}"), {})).version for number in range(5)]
    versions.append((await kept.withdraw(ORG, "m1", by="key:1", source="person")).version)
    assert versions == sorted(set(versions))
    assert (await kept.withdraw(ORG, "m1", by="key:1", source="person")).status == "unknown"
    assert await kept.version(ORG) == versions[-1]


async def test_the_oldest_go_first_and_of_all_those_that_no_person_said(kept: Corrections) -> None:
    for number in range(MOST_CORRECTIONS - 1):
        await kept.keep(ORG, said("sales", at_ms=1000 + number, about=f"m{number}"), {})
    await kept.keep(ORG, said("sales", at_ms=999_999, source="category", about="seen"), {})
    await kept.keep(ORG, said("sales", at_ms=1_000_000, about="new"), {})
    assert await kept.get(ORG, "seen") is None and await kept.get(ORG, "m0") is not None
    await kept.keep(ORG, said("sales", at_ms=1_000_001, about="newer"), {})
    assert await kept.get(ORG, "m0") is None
    _, corrections = await kept.all(ORG)
    assert len(corrections) == MOST_CORRECTIONS


async def test_changes_tell_what_was_said_and_whether_the_analysis_had_it_right(kept: Corrections) -> None:
    judged = {"category": Judged(without=False, learned=True)}
    await kept.keep(ORG, said("sales"), judged)
    await kept.withdraw(ORG, "m1", by="key:2", source="person")
    withdrawn, corrected = [change async for change in kept.changes(ORG)]
    assert (withdrawn.status, withdrawn.by, withdrawn.judged) == ("withdrawn", "key:2", {})
    assert (corrected.status, corrected.said, corrected.judged) == ("kept", {"category": "sales"}, judged)
    assert withdrawn.version > corrected.version
    since = withdrawn.at_ms + 1
    assert [change async for change in kept.changes(ORG, since_ms=since)] == []
    assert len([change async for change in kept.changes(ORG, until_ms=since)]) == 2


async def test_what_is_forgotten_leaves_no_trace(kept: Corrections) -> None:
    for about in ("secret-1", "secret-2", "other"):
        await kept.keep(ORG, said("sales", about=about), {})
    await kept.withdraw(ORG, "secret-2", by="key:1", source="person")
    wanted = ["secret-1", "secret-2", "never-seen"]
    assert await kept.about(ORG, wanted, "f") == {"secret-1", "secret-2"}
    await kept.save_adjustment(ORG, b"learned of it")
    await kept.forget(ORG, wanted)
    assert await kept.about(ORG, wanted, "f") == set() and await kept.adjustment(ORG) is None
    assert [change.message_id async for change in kept.changes(ORG)] == ["other"]
    _, corrections = await kept.all(ORG)
    assert [correction.message_id for correction in corrections] == ["other"]


async def test_a_claim_tells_the_version_of_what_was_taught(store: Store, kept: Corrections) -> None:
    await store.ledger.record(ORG, "soporte@acme.example", [NewMessage("m1", {}), NewMessage("m2", {})])
    assert (await store.ledger.claim(ORG, "soporte@acme.example", "m1", owner="q")).taught == 0
    version = (await kept.keep(ORG, said("sales"), {})).version
    assert (await store.ledger.claim(ORG, "soporte@acme.example", "m2", owner="q")).taught == version
