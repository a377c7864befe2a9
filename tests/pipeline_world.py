"""The pipeline by hand: a sandbox Graph, a real Redis, and the queued work done one piece at a time.

A test decides what happens between two pieces: a fault, a person's edit, a Redis restored from an older copy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.graph_access import ORGANIZATION, settings_for
from tests.sandbox_process import SandboxProcess
from workers.analysis.llm import LanguageModel
from workers.errors import Busy, EconeuraError, LostClaim, NotFound, QueueUnavailable, TemporaryError
from workers.graph.client import GraphSession
from workers.graph.tls import trust
from workers.organizations import Organizations, load_organizations
from workers.pipeline import acting, by_hand, processing, syncing
from workers.pipeline.context import Context
from workers.store import PlannedStep, Record, Store
from workers.webhooks.event import Event

RULES = """
[[organizations.acme.rules]]
name = "facturas"
when = { subject_contains = ["factura"], min_confidence = 0.0 }
then = [ { categorize = "Finanzas" }, { forward = ["contabilidad@elsewhere.example"] }, "archive" ]

[[organizations.acme.rules]]
name = "ayuda"
when = { subject_contains = ["ayuda"], min_confidence = 0.0 }
then = [ { categorize = "Soporte" }, { respond = "acuse" } ]
once_per_correspondent_h = 0

[organizations.acme.templates.acuse]
subject = "Recibido: {{ subject }}"
body = "Hola {{ sender_name }}, lo miramos hoy mismo."
"""
_QUIET_WITHIN_S = 20.0
_A_WHILE_S = 0.02


@dataclass(frozen=True)
class Work:
    """A queue message: its id owns what it claims, also when it comes again."""

    name: str
    owner: str
    run: Callable[[str], Awaitable[object]]


class WorkList:
    """The pipeline's queue, as a list that a test works off."""

    def __init__(self) -> None:
        self.context: Context | None = None
        self.waiting: deque[Work] = deque()
        self.is_away = False
        self.told: list[tuple[Event, tuple[str, ...]]] = []

    async def process(
        self,
        organization_id: str,
        mailbox: str,
        message_ids: Sequence[str],
        *,
        job_id: str | None = None,
        priority: str = "normal",
    ) -> None:
        for message_id in message_ids:

            async def run(owner: str, message_id: str = message_id) -> None:
                await processing.process(
                    self._context, organization_id, mailbox, message_id, owner=owner, job_id=job_id
                )

            self.add("process", run)

    async def act(self, record: Record, step: PlannedStep, *, delay_s: float = 0) -> None:
        async def run(owner: str) -> None:
            await acting.act(
                self._context,
                record.organization_id,
                record.mailbox,
                record.message_id,
                step.index,
                owner=owner,
            )

        self.add(step.type, run)

    async def look_again(self, organization_id: str, mailbox: str, message_ids: Sequence[str]) -> None:
        for message_id in message_ids:

            async def run(owner: str, message_id: str = message_id) -> None:
                organization = self._context.organization(organization_id)
                await by_hand.learn_from_hand(self._context, organization, mailbox, message_id)

            self.add("look_again", run)

    async def sync(
        self, organization_id: str, mailbox: str, *, delay_s: float = 0, notified_at_ms: int = 0
    ) -> None:
        async def run(owner: str) -> None:
            await syncing.sync_mailbox(self._context, organization_id, mailbox, owner=owner)

        self.add("sync", run)

    async def tell(self, event: Event, webhooks: Sequence[str], *, again: bool = False) -> None:
        if self.is_away:
            raise QueueUnavailable("the queue is away")
        self.told.append((event, tuple(webhooks)))

    def add(self, name: str, run: Callable[[str], Awaitable[object]]) -> None:
        self.waiting.append(Work(name, uuid4().hex, run))

    @property
    def _context(self) -> Context:
        assert self.context is not None
        return self.context


class World:
    """One mailbox of one organization, and what a test does with them."""

    def __init__(self, sandbox: SandboxProcess, context: Context, queue: WorkList, directory: Path) -> None:
        self.sandbox = sandbox
        self.context = context
        self.queue = queue
        self._directory = directory
        self.mailbox = next(iter(context.organizations)).mailboxes[0]

    def deliver(self, **mail: Any) -> str:
        """Deliver one mail; returns its immutable id."""
        given = {"from": "Ana Ruiz <ana@cliente.example>", "body": "Texto del mensaje.", **mail}
        return str(self.sandbox.deliver(self.mailbox, **given)[0]["id"])

    def configure(self, rules: str = RULES, **options: Any) -> None:
        """Read a changed organizations file, as on SIGHUP."""
        mailboxes = options.pop("mailboxes", [self.mailbox])
        self.context.organizations = organizations(self.sandbox, self._directory, mailboxes, rules, **options)
        self.context.graph.reload(self.context.organizations)

    async def sync(self) -> int:
        """One look at the mailbox; what it queues waits to be worked off."""
        return await syncing.sync_mailbox(self.context, ORGANIZATION, self.mailbox, owner=uuid4().hex)

    async def work_off(self, *, faults_expected: bool = True) -> None:
        """Do what is queued until nothing is; what fails for now comes again, as the same queue message."""
        end = asyncio.get_running_loop().time() + _QUIET_WITHIN_S
        while self.queue.waiting:
            work = self.queue.waiting.popleft()
            try:
                await work.run(work.owner)
            except TemporaryError as failed:
                assert faults_expected, failed
                assert asyncio.get_running_loop().time() < end, f"{work.name} never ended: {failed}"
                self.queue.waiting.append(work)
                await asyncio.sleep(_A_WHILE_S)
            except LostClaim:
                continue

    async def step(self, name: str) -> EconeuraError | None:
        """Do the next piece of work, which must be of this name; the error it failed with stays undone."""
        work = self.queue.waiting.popleft()
        assert work.name == name, f"{work.name} is next"
        try:
            await work.run(work.owner)
        except EconeuraError as failed:
            self.queue.waiting.appendleft(work)
            return failed
        return None

    async def work_until_failure(self) -> bool:
        """Work off what is queued until something fails; False where nothing does. Waiting is no failure."""
        while self.queue.waiting:
            failed = await self.step(self.queue.waiting[0].name)
            if isinstance(failed, Busy):
                await asyncio.sleep(_A_WHILE_S)
            elif failed is not None:
                return True
        return False

    async def handle(self) -> None:
        """Look at the mailbox, and do all that follows."""
        await self.sync()
        await self.work_off()

    async def record(self, message_id: str) -> Record:
        record = await self.context.store.ledger.read(self.mailbox, message_id)
        if record is None:
            raise NotFound(f"no record of {message_id}")
        return record

    async def statuses(self, message_id: str) -> dict[str, str]:
        """Action -> status of a message's plan."""
        return {step.type: step.status for step in (await self.record(message_id)).steps}

    def sent(self) -> list[dict[str, Any]]:
        return self.sandbox.sent(self.mailbox)

    def folder(self, name: str) -> list[dict[str, Any]]:
        return self.sandbox.folder(self.mailbox, name, bodies=True)

    def calls(self, since: int = 0) -> list[str]:
        """Method and endpoint of each call on the mailbox, in order."""
        return [
            f"{call['method']} {call['endpoint']}"
            for call in self.sandbox.calls(mailbox=self.mailbox, after=since)
        ]

    def fault_hits(self, number: int | None = None) -> int:
        """How often a fault hit, by default the last one asked for."""
        rules = self.sandbox.admin("GET", "faults")["faults"]
        return int(next(rule["hits"] for rule in reversed(rules) if number in (None, rule["number"])))

    async def until(self, fact: Callable[[], object]) -> None:
        """Wait for a fact while other work goes on."""
        end = asyncio.get_running_loop().time() + _QUIET_WITHIN_S
        while not fact():
            assert asyncio.get_running_loop().time() < end, "it never came true"
            await asyncio.sleep(_A_WHILE_S)

    async def end_claims(self) -> None:
        """Let the lease of every claim run out, as if its worker had been asleep for minutes."""
        redis = self.context.store.redis
        for key in await redis.keys("*:email:*"):
            await redis.hset(key, "claim_until", 0)

    async def let_pass(self, message_id: str, *, seconds: float) -> None:
        """Make a message older in the ledger."""
        key = self.context.store.keys.email(self.mailbox, message_id)
        await self.context.store.redis.hincrby(key, "seen_at", int(-1000 * seconds))

    async def copy_of_redis(self) -> dict[bytes, bytes]:
        """All of Redis as it is now, without the time that keys have left."""
        redis = self.context.store.redis
        dumped = {key: await redis.dump(key) for key in await redis.keys()}
        # What ran out in between is not in the copy.
        return {key: value for key, value in dumped.items() if value is not None}

    async def restore_redis(self, copy: dict[bytes, bytes]) -> None:
        """Redis as it was; what was queued then is queued again, what was queued since is forgotten."""
        redis = self.context.store.redis
        await redis.flushall()
        for key, value in copy.items():
            await redis.restore(key, 0, value, replace=True)


def organizations(
    sandbox: SandboxProcess, directory: Path, mailboxes: Sequence[str], rules: str, **options: Any
) -> Organizations:
    """The organizations file of a world; `options` are lines of the organization's table (TOML values)."""
    run = sandbox.run
    credential = directory / "credential"
    credential.write_text(run["client_secret"])
    options = {"process_since": "2020-01-01T00:00:00Z", **options}
    lines = "\n".join(f"{name} = {_toml(value)}" for name, value in options.items() if value is not None)
    file = directory / "organizations.toml"
    file.write_text(
        f"[organizations.{ORGANIZATION}]\n"
        f'tenant_id = "{run["tenant_id"]}"\nclient_id = "{run["client_id"]}"\n'
        f'client_secret = "file:{credential}"\nmailboxes = {list(mailboxes)!r}\n{lines}\n{rules}'
    )
    return load_organizations(file)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(list(value)) if isinstance(value, (list, tuple)) else repr(value)


@asynccontextmanager
async def a_world(
    sandbox: SandboxProcess, redis_url: str, directory: Path, rules: str = RULES, **options: Any
) -> AsyncIterator[World]:
    """A world with a mailbox of its own."""
    mailbox = sandbox.add_mailbox(f"m{uuid4().hex[:12]}@acme.example")
    settings = settings_for(
        sandbox,
        redis_url=redis_url,
        public_url=options.pop("public_url", None),
        notifications=options.pop("notifications", "basic"),
        graph_sends_per_minute=100_000,
    )
    known = organizations(sandbox, directory, [mailbox], rules, **options)
    queue = WorkList()
    async with (
        Store.open(settings) as store,
        GraphSession.open(settings, known, store.redis) as graph,
        LanguageModel.open(settings, known, store.redis, trust(settings.ca_file)) as language_model,
    ):
        context = queue.context = Context(settings, known, store, graph, queue, language_model)
        yield World(sandbox, context, queue, directory)
