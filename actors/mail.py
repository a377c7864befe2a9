"""Doors for mail: look at a mailbox, process a message, many of them, note a death."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors import policy, resources
from actors.door import attempt_of, door
from workers import logs
from workers.errors import TemporaryError, Throttled
from workers.pipeline import bulk, death, processing, rich_content, subscribing, syncing

_log = logs.get_logger("actors")


@policy.SYNC.actor
async def sync_mailbox(organization_id: str, mailbox: str, notified_at_ms: int = 0) -> None:
    """Bring in what is new in a mailbox; what fails to the end is no dead letter, the timer looks anyway."""
    async with door(organization_id=organization_id) as queue_message:
        try:
            await syncing.sync_mailbox(
                resources.current(),
                organization_id,
                mailbox,
                owner=queue_message.message_id,
                notified_at_ms=notified_at_ms,
            )
        except TemporaryError as failed:
            is_over = attempt_of(queue_message) >= policy.SYNC.max_attempts
            if isinstance(failed, Throttled) or not is_over:
                raise
            _log.error("mailbox_not_synced", code=failed.code, reason=str(failed))


@policy.PROCESS.actor
async def process_email(
    organization_id: str, mailbox: str, message_id: str, job_id: str | None = None, force: bool = False
) -> None:
    """Understand one message and plan what to do with it."""
    async with door(organization_id=organization_id, message_id=message_id, job_id=job_id) as queue_message:
        await processing.process(
            resources.current(),
            organization_id,
            mailbox,
            message_id,
            owner=queue_message.message_id,
            job_id=job_id,
            force=force,
        )


@policy.PROCESS.actor
async def process_bulk(organization_id: str, mailbox: str, message_ids: list[str], job_id: str) -> None:
    """Fetch the messages of a bulk job and queue them, all in one step and as urgent as the job."""
    async with door(organization_id=organization_id) as queue_message:
        await bulk.queue_all(
            resources.current(),
            organization_id,
            mailbox,
            message_ids,
            job_id=job_id,
            priority=str(queue_message.options.get("priority", "normal")),
        )


@policy.SYNC.actor
async def take_in_content(
    organization_id: str,
    mailbox: str,
    contents: list[dict[str, Any]],
    validation_tokens: list[str],
    notified_at_ms: int = 0,
) -> None:
    """Check and read the encrypted contents of notifications of a mailbox."""
    async with door(organization_id=organization_id) as queue_message:
        await rich_content.take_in(
            resources.current(),
            organization_id,
            mailbox,
            contents,
            validation_tokens,
            owner=queue_message.message_id,
            notified_at_ms=notified_at_ms,
        )


@policy.SYNC.actor
async def handle_lifecycle(
    organization_id: str, mailbox: str, folder: str, subscription_id: str, event: str
) -> None:
    """Do what Graph's lifecycle event asks for."""
    async with door(organization_id=organization_id):
        await subscribing.handle_lifecycle(
            resources.current(), organization_id, mailbox, folder, subscription_id, event
        )


@policy.BOOKKEEPING.actor
async def record_death(
    organization_id: str,
    mailbox: str,
    message_id: str = "",
    message_ids: Sequence[str] = (),
    job_id: str | None = None,
    reason: str = "",
    error: str = "",
    **of_the_dead: Any,
) -> None:
    """Note in the ledger that messages ended in the dead letters, and tell the job that waits for them.

    Called with the arguments of the message that died.
    """
    async with door(organization_id=organization_id):
        for each in (message_id, *message_ids) if message_id else message_ids:
            await death.record_death(
                resources.current(),
                organization_id,
                mailbox,
                each,
                job_id=job_id,
                reason=reason,
                error=error,
            )
