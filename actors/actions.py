"""Doors for actions: one actor each, all through the pipeline's `act`."""

from __future__ import annotations

from actors import policy, resources
from actors.door import attempt_of, door
from workers.pipeline import acting


@policy.ACTION.actor
async def categorize_email(organization_id: str, mailbox: str, message_id: str, index: int) -> None:
    """Set a message's categories."""
    await _act(organization_id, mailbox, message_id, index)


@policy.ACTION.actor
async def respond_to_email(organization_id: str, mailbox: str, message_id: str, index: int) -> None:
    """Answer a message."""
    await _act(organization_id, mailbox, message_id, index)


@policy.ACTION.actor
async def forward_email(organization_id: str, mailbox: str, message_id: str, index: int) -> None:
    """Forward a message."""
    await _act(organization_id, mailbox, message_id, index)


@policy.ACTION.actor
async def archive_email(organization_id: str, mailbox: str, message_id: str, index: int) -> None:
    """Move a message to Archive."""
    await _act(organization_id, mailbox, message_id, index)


async def _act(organization_id: str, mailbox: str, message_id: str, index: int) -> None:
    async with door(organization_id=organization_id, message_id=message_id) as queue_message:
        await acting.act(
            resources.current(),
            organization_id,
            mailbox,
            message_id,
            index,
            owner=queue_message.message_id,
            attempt=attempt_of(queue_message),
        )
