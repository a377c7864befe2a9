"""Delta is the truth: lost links, broken-off listings, configurations that change, and the nightly count."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.pipeline_world import World
from tests.sandbox_process import SandboxProcess
from workers.errors import TemporaryError
from workers.graph import changes
from workers.pipeline import counting

pytestmark = pytest.mark.sandbox("--sends-per-minute", "0")

REST = {"body": "Hola", "from": "ana@cliente.example"}


def deliver(world: World, count: int, subject: str = "Factura {n}", **mail: object) -> None:
    world.sandbox.deliver(world.mailbox, subject=subject, count=count, **REST, **mail)


def days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def forwarded_once(world: World, count: int) -> None:
    assert Counter(mail["subject"].partition(":")[2].strip() for mail in world.sent()) == {
        f"Factura {number}": 1 for number in range(1, count + 1)
    }
    assert len(world.folder("archive")) == count


class TestALostLink:
    async def test_a_link_that_graph_forgot_in_the_middle_acts_on_nothing_twice(
        self, world: World, sandbox: SandboxProcess
    ) -> None:
        deliver(world, 30, subject="Ayuda {n}")
        await world.handle()
        deliver(world, 120)
        sandbox.fault("status", status=410, mailbox=world.mailbox, path="(skip|delta)token", skip=2, count=1)
        with pytest.raises(TemporaryError) as forgotten:
            await world.sync()
        # Those of many mailboxes must not all begin anew at once.
        assert 0 < (forgotten.value.retry_after_s or 0) <= 5
        await world.handle()
        forwarded = [mail for mail in world.sent() if mail["to"] == ["contabilidad@elsewhere.example"]]
        assert len(forwarded) == 120 and len(world.sent()) == 150
        assert len(world.folder("archive")) == 120 and len(world.folder("inbox")) == 30
        assert await world.context.store.unfinished.count("acme") == 0

    async def test_one_forgotten_twice_in_a_row_is_tried_again_each_time(
        self, world: World, sandbox: SandboxProcess
    ) -> None:
        deliver(world, 60)
        sandbox.fault("status", status=410, mailbox=world.mailbox, path="skiptoken", count=2)
        await world.queue.sync("acme", world.mailbox)
        await world.work_off()
        assert world.fault_hits() == 2
        forwarded_once(world, 60)

    async def test_a_folder_whose_state_redis_lost_goes_on_from_where_it_was_first_watched(
        self, world: World
    ) -> None:
        world.configure(process_since=None)
        await world.sync()
        deliver(world, 3)
        await world.handle()
        store = world.context.store
        await store.redis.delete(store.keys.folder(world.mailbox, "inbox"))
        deliver(world, 1, subject="Ayuda, en el hueco")
        await world.handle()
        assert len(world.sent()) == 4 and len(world.folder("archive")) == 3

    async def test_what_the_ledger_has_forgotten_by_now_is_not_new_again(
        self, world: World, sandbox: SandboxProcess
    ) -> None:
        deliver(world, 2, subject="Ayuda {n}", receivedDateTime=days_ago(100))
        await world.handle()
        assert len(world.sent()) == 2, "a first listing goes back as far as configured"
        redis = world.context.store.redis
        for pattern in ("*:email:*", "*:effect:*", "*:content:*"):
            await redis.delete(*(await redis.keys(pattern)), "-")
        sandbox.admin("POST", "expire-delta", {})
        with pytest.raises(TemporaryError):
            await world.sync()
        assert await world.sync() == 0


async def test_a_broken_off_listing_remembers_how_much_the_date_filter_let_it_see(world: World) -> None:
    """Graph's filtered listings end after 5,000 messages, and do not say that there are more."""
    deliver(world, 20)
    graph = world.context.graph_of("acme")
    since = datetime(2020, 1, 1, tzinfo=UTC)
    first = await anext(changes.pages(graph, world.mailbox, "inbox", since=since, page_size=5))
    assert first.listed == 5 and first.next_link is not None
    going_on = changes.pages(
        graph, world.mailbox, "inbox", link=first.next_link, listed=4990, since=since, page_size=5
    )
    pages = [page async for page in going_on]
    assert sum(len(page.messages) for page in pages) == 15 + 20, "the folder is listed without the filter"
    assert [page.listed for page in pages] == [4995, 5000, None, None, None, None, None]
    assert pages[-1].delta_link is not None


async def test_a_killed_listing_goes_on_with_its_count(world: World, sandbox: SandboxProcess) -> None:
    deliver(world, 120)
    sandbox.fault("status", status=500, mailbox=world.mailbox, path="skiptoken", skip=1, count=1)
    with pytest.raises(TemporaryError):
        await world.sync()
    mailboxes = world.context.store.mailboxes
    state = await mailboxes.lease(world.mailbox, "inbox", owner="me", since_ms=0)
    assert state is not None and state.listed == 100 and not state.was_listed
    await mailboxes.release(world.mailbox, "inbox", owner="me")
    await world.handle()
    forwarded_once(world, 120)


class TestChangedConfiguration:
    async def test_an_earlier_process_since_brings_in_what_came_before(self, world: World) -> None:
        world.configure(process_since=days_ago(10))
        deliver(world, 2, receivedDateTime=days_ago(20))
        await world.handle()
        assert world.sent() == []
        world.configure(process_since=days_ago(30))
        await world.handle()
        forwarded_once(world, 2)

    async def test_a_mailbox_that_was_removed_is_not_looked_at(self, world: World) -> None:
        deliver(world, 1)
        world.configure(mailboxes=["otro@acme.example"])
        assert await world.sync() == 0
        assert world.calls() == []


class TestFolders:
    async def test_trouble_with_one_folder_stays_with_it(self, world: World, sandbox: SandboxProcess) -> None:
        world.configure(folders=["no-such-folder", "inbox"])
        deliver(world, 1)
        await world.handle()
        forwarded_once(world, 1)
        states = await world.context.store.mailboxes.read_many(
            [(world.mailbox, "no-such-folder"), (world.mailbox, "inbox")]
        )
        assert [state.error for state in states] == ["not_found", ""]

    async def test_denied_access_is_the_folders_state_and_no_dead_letter(
        self, world: World, sandbox: SandboxProcess
    ) -> None:
        sandbox.fault("status", status=403, mailbox=world.mailbox, count=1)
        deliver(world, 1)
        assert await world.sync() == 0
        assert (await world.context.store.mailboxes.read(world.mailbox, "inbox")).error == "access_denied"
        await world.handle()
        forwarded_once(world, 1)
        assert (await world.context.store.mailboxes.read(world.mailbox, "inbox")).error == ""

    async def test_a_mailbox_that_is_not_there_is_the_folders_state_and_may_come_back(
        self, world: World
    ) -> None:
        world.configure(mailboxes=["no-such-user@acme.example"])
        mailbox, world.mailbox = world.mailbox, "no-such-user@acme.example"
        assert await world.sync() == 0
        state = await world.context.store.mailboxes.read(world.mailbox, "inbox")
        assert state.error == "mailbox_unavailable"
        world.mailbox = mailbox

    async def test_a_message_that_goes_and_comes_back_is_processed_once(self, world: World) -> None:
        message_id = world.deliver(subject="Ayuda con el acceso")
        await world.handle()
        for folder in ("clutter", "inbox", "clutter", "inbox"):
            where = {"mailbox": world.mailbox, "id": message_id, "folder": folder}
            world.sandbox.admin("POST", "move", where)
            await world.handle()
        assert len(world.sent()) == 1


class TestNightlyCount:
    async def counted(self, world: World) -> int:
        """A look at the mailbox by night: the organization lives where it is three in the morning."""
        offset = (3 - datetime.now(UTC).hour + 12) % 24 - 12
        # POSIX's sign: Etc/GMT-3 is three hours ahead of UTC.
        world.configure(timezone=f"Etc/GMT{-offset:+d}")
        return await world.sync()

    async def miss(self, world: World, subject: str) -> None:
        """Let delta miss a message: its link goes on after it."""
        store, graph = world.context.store, world.context.graph_of("acme")
        state = await store.mailboxes.lease(world.mailbox, "inbox", owner="me", since_ms=0)
        assert state is not None
        deliver(world, 1, subject=subject)
        last = None
        async for page in changes.pages(graph, world.mailbox, "inbox", link=state.link):
            last = page.delta_link
        assert last is not None
        await store.mailboxes.save_link(world.mailbox, "inbox", owner="me", link=last)
        await store.mailboxes.release(world.mailbox, "inbox", owner="me")

    async def test_finds_what_even_delta_missed_once_a_night(self, world: World) -> None:
        by_day = "UTC" if datetime.now(UTC).hour >= 6 else "Asia/Tokyo"
        world.configure(timezone=by_day)
        deliver(world, 3)
        await world.handle()
        await self.miss(world, "Factura 4")
        assert await world.sync() == 0, "by day nothing is counted"
        assert await self.counted(world) == 1
        await world.work_off()
        forwarded_once(world, 4)
        await self.miss(world, "Factura 5")
        assert await self.counted(world) == 0, "it was counted this night"

    async def test_leaves_out_what_was_received_before_the_beginning(self, world: World) -> None:
        world.configure(process_since="2026-06-01T00:00:00Z")
        deliver(world, 2, receivedDateTime="2026-05-01T00:00:00Z")
        await world.handle()
        offset = (3 - datetime.now(UTC).hour + 12) % 24 - 12
        world.configure(process_since="2026-06-01T00:00:00Z", timezone=f"Etc/GMT{-offset:+d}")
        assert await world.sync() == 0

    @pytest.mark.parametrize(
        ("hour", "hours_ago", "due"), [(3, 24, True), (3, 10, False), (12, 48, False), (1, 30, False)]
    )
    def test_is_due_by_night_and_once(self, hour: int, hours_ago: int, due: bool) -> None:
        now = datetime(2026, 11, 22, hour, 30, tzinfo=ZoneInfo("Europe/Madrid"))
        counted_at = now - timedelta(hours=hours_ago)
        assert counting.is_due(int(counted_at.timestamp() * 1000), now) is due
