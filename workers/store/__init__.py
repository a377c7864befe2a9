"""What survives a restart: the ledger and everything else that we keep in Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from workers.redis_clients import AsyncRedis, connect
from workers.settings import Settings
from workers.store.answers import Answers
from workers.store.api_keys import ApiKey, ApiKeys
from workers.store.audit import Audit, Change
from workers.store.content_keys import ContentKeyPair, ContentKeys
from workers.store.corrections import Correction, CorrectionChange, Corrections, Judged, Kept
from workers.store.effects import Effects
from workers.store.exports import Exports
from workers.store.health import HealthRecords
from workers.store.jobs import Job, Jobs, NewJob
from workers.store.journal import Journal
from workers.store.keys import Keys
from workers.store.ledger import Ended, Ledger, NewMessage
from workers.store.mailboxes import FolderState, Mailboxes
from workers.store.rates import Rates
from workers.store.record import PlannedStep, Record
from workers.store.report_mails import ReportMails
from workers.store.schedule import Schedule, ScheduledRuns
from workers.store.schedulers import Schedulers
from workers.store.subscriptions import Subscription, Subscriptions
from workers.store.switches import Switches
from workers.store.unfinished import Unfinished
from workers.store.webhooks import Delivery, Noted, Webhooks

__all__ = [
    "Answers",
    "ApiKey",
    "ApiKeys",
    "Audit",
    "Change",
    "ContentKeyPair",
    "ContentKeys",
    "Correction",
    "CorrectionChange",
    "Corrections",
    "Delivery",
    "Effects",
    "Ended",
    "Exports",
    "FolderState",
    "HealthRecords",
    "Job",
    "Jobs",
    "Journal",
    "Judged",
    "Kept",
    "Keys",
    "Ledger",
    "Mailboxes",
    "NewJob",
    "NewMessage",
    "Noted",
    "PlannedStep",
    "Rates",
    "Record",
    "ReportMails",
    "Schedule",
    "ScheduledRuns",
    "Schedulers",
    "Store",
    "Subscription",
    "Subscriptions",
    "Switches",
    "Unfinished",
    "Webhooks",
]

_DAY_S = 86400


@dataclass(frozen=True)
class Store:
    """Everything kept, over one Redis client of this process."""

    redis: AsyncRedis
    keys: Keys
    ledger: Ledger
    unfinished: Unfinished
    journal: Journal
    effects: Effects
    mailboxes: Mailboxes
    subscriptions: Subscriptions
    content_keys: ContentKeys
    jobs: Jobs
    switches: Switches
    schedule: Schedule
    scheduled_runs: ScheduledRuns
    schedulers: Schedulers
    health: HealthRecords
    exports: Exports
    report_mails: ReportMails
    api_keys: ApiKeys
    answers: Answers
    rates: Rates
    audit: Audit
    webhooks: Webhooks
    corrections: Corrections

    @classmethod
    def over(cls, client: AsyncRedis, settings: Settings) -> Store:
        """A store over a client that the caller owns."""
        keys = Keys(settings.namespace, settings.partitions)
        return cls(
            redis=client,
            keys=keys,
            ledger=Ledger(
                client, keys,
                retention_days=settings.ledger_retention_days, content_ttl_s=settings.content_ttl_s,
            ),
            unfinished=Unfinished(client, keys, retention_days=settings.ledger_retention_days),
            journal=Journal(client, keys),
            effects=Effects(client, keys, retention_days=settings.ledger_retention_days),
            mailboxes=Mailboxes(client, keys),
            subscriptions=Subscriptions(client, keys),
            content_keys=ContentKeys(client, keys),
            jobs=Jobs(client, keys),
            switches=Switches(client, keys),
            schedule=Schedule(client, keys),
            scheduled_runs=ScheduledRuns(client, keys),
            schedulers=Schedulers(client, keys),
            health=HealthRecords(client, keys),
            exports=Exports(client, keys),
            report_mails=ReportMails(client, keys),
            api_keys=ApiKeys(client, keys),
            answers=Answers(client, keys),
            rates=Rates(client, keys),
            audit=Audit(client, keys),
            webhooks=Webhooks(client, keys, retention_s=settings.dead_letter_retention_days * _DAY_S),
            corrections=Corrections(client, keys),
        )  # fmt: skip

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Store]:
        """A store over a client of its own, closed at the end."""
        client = connect(settings)
        try:
            yield cls.over(client, settings)
        finally:
            await client.aclose()
