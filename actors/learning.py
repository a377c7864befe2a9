"""Doors for corrections: learn of what a person said of a message, and note where that came to nothing."""

from __future__ import annotations

from typing import Any

import dramatiq

import actors
from actors import policy, resources
from actors.door import door
from workers import clock
from workers.errors import NotFound
from workers.organizations import Organization
from workers.pipeline import by_hand
from workers.pipeline.learning import Said, labels_of, learn


@policy.LEARNING.actor
async def learn_correction(
    organization_id: str,
    mailbox: str,
    about: str,
    said: dict[str, str],
    by: str,
    at_ms: int,
    job_id: str | None = None,
) -> None:
    """Learn of what a person said of the message `about`, and tell the job that waits for it."""
    async with door(organization_id=organization_id, message_id=about, job_id=job_id):
        context = resources.current()
        organization = context.organization(organization_id)
        told = Said(said, labels_of(said, organization), "person", by, at_ms)
        try:
            feedback = await learn(context, organization, mailbox, about, told)
        except NotFound as gone:
            await _fail(job_id, about, gone.code, str(gone))
            return
        if job_id is not None:
            jobs, at = context.store.jobs, clock.now_text()
            await jobs.complete((job_id,), feedback, message_id=about, at=at)


@policy.SCHEDULED.actor
async def learn_from_hand(organization_id: str, mailbox: str, about: str) -> None:
    """Learn from what a person did by hand with the message `about`."""
    async with door(organization_id=organization_id, message_id=about):
        context = resources.current()
        await by_hand.learn_from_hand(context, context.organization(organization_id), mailbox, about)


@policy.BOOKKEEPING.actor
async def note_lost_correction(
    organization_id: str,
    mailbox: str,
    about: str,
    said: dict[str, str],
    by: str,
    at_ms: int,
    job_id: str | None = None,
    reason: str = "",
    error: str = "",
) -> None:
    """Tell the job that its correction ended in the dead letters, from where it can be sent again."""
    async with door(organization_id=organization_id, message_id=about):
        await _fail(job_id, about, reason or "failed", error)


def correction(
    organization: Organization,
    mailbox: str,
    about: str,
    said: dict[str, str],
    *,
    by: str,
    at_ms: int,
    job_id: str,
) -> dramatiq.Message[Any]:
    """The queue message of a correction. A person waits for it, so it goes before fresh mail.

    It does not say `message_id`: should it fail, the message itself is none the worse.
    """
    message = actors.message(
        learn_correction,
        organization_id=organization.id,
        priority="urgent",
        job_id=job_id,
        mailbox=mailbox,
        about=about,
        said=said,
        by=by,
        at_ms=at_ms,
    )
    message.options["on_dead"] = {"actor": note_lost_correction.actor_name}
    return message


async def _fail(job_id: str | None, about: str, code: str, text: str) -> None:
    if job_id is not None:
        jobs, at = resources.current().store.jobs, clock.now_text()
        await jobs.fail((job_id,), code, text, message_id=about, at=at)
