"""The pipeline's queue: what it leaves for later becomes queue messages, named by actor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import actors
from workers.broker import Producer
from workers.store import PlannedStep, Record
from workers.webhooks.event import Event

_ACTORS = {
    "categorize": "categorize_email",
    "respond": "respond_to_email",
    "forward": "forward_email",
    "archive": "archive_email",
}


class Outbox:
    """Sends through a Producer: nothing is taken for queued before Redis confirmed it."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def process(
        self,
        organization_id: str,
        mailbox: str,
        message_ids: Sequence[str],
        *,
        job_id: str | None = None,
        priority: str = "normal",
    ) -> None:
        """Queue the processing of messages, all in one step."""
        process_email = actors.broker.get_actor("process_email")
        await self._producer.send(
            *(
                actors.message(
                    process_email,
                    organization_id=organization_id,
                    priority=priority,
                    job_id=job_id,
                    mailbox=mailbox,
                    message_id=message_id,
                )
                for message_id in message_ids
            )
        )

    async def act(self, record: Record, step: PlannedStep, *, delay_s: float = 0) -> None:
        """Queue one action of a plan. Begun work goes before new: a message is finished, then the next."""
        await self._producer.send(
            actors.message(
                actors.broker.get_actor(_ACTORS[step.type]),
                organization_id=record.organization_id,
                priority="high",
                mailbox=record.mailbox,
                message_id=record.message_id,
                index=step.index,
            ),
            delay_s=delay_s,
        )

    async def look_again(self, organization_id: str, mailbox: str, message_ids: Sequence[str]) -> None:
        """Queue a look at messages that people may have filed anew. It is in nobody's way."""
        learn_from_hand = actors.broker.get_actor("learn_from_hand")
        await self._producer.send(
            *(
                actors.message(
                    learn_from_hand,
                    organization_id=organization_id,
                    priority="low",
                    mailbox=mailbox,
                    about=message_id,
                )
                for message_id in message_ids
            )
        )

    async def sync(
        self, organization_id: str, mailbox: str, *, delay_s: float = 0, notified_at_ms: int = 0
    ) -> None:
        """Queue a look at a mailbox, some seconds from now."""
        sync = actors.broker.get_actor("sync_mailbox")
        message = actors.message(
            sync,
            organization_id=organization_id,
            priority=actors.LOOK_PRIORITY,
            mailbox=mailbox,
            notified_at_ms=notified_at_ms,
        )
        await self._producer.send(message, delay_s=delay_s)

    async def tell(self, event: Event, webhooks: Sequence[str], *, again: bool = False) -> None:
        """Queue the telling of an event to webhooks, by name; with `again` also of one told before."""
        tell_webhook = actors.broker.get_actor("tell_webhook")
        await self._producer.send(
            *(
                actors.message(
                    tell_webhook,
                    organization_id=event.organization_id,
                    priority="low",
                    webhook=name,
                    event=asdict(event),
                    again=again,
                )
                for name in webhooks
            )
        )
