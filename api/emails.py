"""Messages: have one or many processed, and see what became of one."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

import actors
from actors.mail import process_bulk, process_email
from api import routes
from api.directory import mailbox_of
from api.envelope import answer, timestamp
from api.known_email import known_email
from api.preferences import asked_wait_s
from api.receiving import BODY_LIMIT_BYTES
from api.refusals import Detail, Refusal, invalid
from api.routes import Answer, Routes
from api.schemas.emails import (
    BulkQueued,
    Ended,
    OneEmail,
    ProcessEmail,
    ProcessEmails,
    Queued,
    TraceQuery,
)
from api.tracing import trace_of
from api.visibility import visible
from api.wiring import PRODUCER, STORE, WAITING
from workers.ids import new_id
from workers.organizations import Organization
from workers.store import Job, NewJob

EMAILS = Routes("emails")
_LOCATION = {"Location": "The job."}
_TO_THE_JOB = {"read_job": {"jobId": "/jobId"}}
# A queue message carries at most so many ids: a worker queues their processing in one step.
_IDS_PER_MESSAGE = 100


@EMAILS.add(
    "POST",
    "/emails/process",
    takes=routes.body(ProcessEmail),
    needs="submit",
    answers={
        202: Answer("Queued; Location leads to the job.", Queued, headers=_LOCATION, leads_to=_TO_THE_JOB),
        200: Answer(
            "Ended within the time of `Prefer: wait=N`.", Ended, headers=_LOCATION, leads_to=_TO_THE_JOB
        ),
    },
    refusals=(404,),
    request_headers={"Prefer": "wait=N: answer with the result if the job ends within N (up to 60) seconds."},
)
async def submit_email(request: web.Request, given: ProcessEmail) -> web.Response:
    """Have a message processed.

    A message that is done already gets its stored result, and no effect a second time. One that Graph does
    not have ends as a failed job with the code not_found.
    """
    app, organization = request.app, visible(request).organization(given.organization_id)
    mailbox = _named_mailbox(organization, given.mailbox)
    if mailbox is None:
        mailbox = await _known_mailbox(request, organization, given.message_id)
    job_id = new_id()
    message = actors.message(
        process_email,
        organization_id=organization.id,
        priority=given.priority,
        job_id=job_id,
        mailbox=mailbox,
        message_id=given.message_id,
        force=given.force,
    )
    job = NewJob(job_id, "process_email", organization.id, timestamp())
    await app[PRODUCER].send(message, beside=app[STORE].jobs.record(job))
    wait_s = asked_wait_s(request) or 0.0
    found = await app[WAITING].wait(job_id, timeout_s=wait_s) if wait_s else None
    return _submitted(job_id, found, waited=wait_s > 0)


@EMAILS.add(
    "POST",
    "/emails/process/bulk",
    takes=routes.body(ProcessEmails, most_bytes=BODY_LIMIT_BYTES),
    needs="submit",
    answers={
        202: Answer("Queued; follow the job's progress.", BulkQueued, headers=_LOCATION, leads_to=_TO_THE_JOB)
    },
    refusals=(404,),
)
async def submit_emails(request: web.Request, given: ProcessEmails) -> web.Response:
    """Have up to 1,000 messages processed as one job."""
    organization = visible(request).organization(given.organization_id)
    message_ids = list(dict.fromkeys(given.message_ids))
    by_mailbox = await _by_mailbox(request, organization, given.mailbox, message_ids)
    job_id = new_id()
    messages = [
        actors.message(
            process_bulk,
            organization_id=organization.id,
            priority=given.priority,
            job_id=job_id,
            mailbox=mailbox,
            message_ids=ids[start : start + _IDS_PER_MESSAGE],
        )
        for mailbox, ids in by_mailbox.items()
        for start in range(0, len(ids), _IDS_PER_MESSAGE)
    ]
    job = NewJob(job_id, "process_bulk", organization.id, timestamp(), total=len(message_ids))
    await request.app[PRODUCER].send(*messages, beside=request.app[STORE].jobs.record(job))
    return answer(
        {"jobId": job_id, "status": "queued", "accepted": len(message_ids)},
        status=202,
        headers={"Location": f"/jobs/{job_id}"},
    )


@EMAILS.add(
    "GET",
    "/emails/{messageId}",
    takes=routes.query(TraceQuery),
    needs="read",
    answers={200: Answer("The trace.", OneEmail)},
    refusals=(404,),
)
async def read_email(request: web.Request, asked: TraceQuery) -> web.Response:
    """Show the trace of a message: when it was seen, what it means, what was done. No body text."""
    organization = visible(request).organization(asked.organization_id)
    record = await known_email(request, organization, asked.mailbox)
    correction = await request.app[STORE].corrections.get(organization.id, record.message_id)
    return answer(OneEmail(email=trace_of(record, correction)))


def _submitted(job_id: str, job: Job | None, *, waited: bool) -> web.Response:
    headers = {"Location": f"/jobs/{job_id}"}
    if waited:
        headers["Preference-Applied"] = "wait"
    if job is None or not job.has_ended:
        status = "queued" if job is None else job.status
        return answer({"jobId": job_id, "status": status}, status=202, headers=headers)
    told = {"jobId": job_id, "status": job.status, "result": job.result, "error": job.error}
    return answer(told, headers=headers)


def _named_mailbox(organization: Organization, given: str | None) -> str | None:
    """The mailbox that the caller named, or the only one there is."""
    if given is not None:
        return mailbox_of(organization, given)
    return organization.mailboxes[0] if len(organization.mailboxes) == 1 else None


async def _known_mailbox(request: web.Request, organization: Organization, message_id: str) -> str:
    known = await request.app[STORE].ledger.mailbox_of(organization.id, message_id)
    if known is None:
        raise invalid("mailbox", f"needed: {organization.id} has several and the message is not known yet")
    return known


async def _by_mailbox(
    request: web.Request, organization: Organization, given: str | None, message_ids: Sequence[str]
) -> dict[str, list[str]]:
    if (mailbox := _named_mailbox(organization, given)) is not None:
        return {mailbox: list(message_ids)}
    found = await request.app[STORE].ledger.mailboxes_of(organization.id, message_ids)
    by_mailbox: dict[str, list[str]] = {}
    for message_id, known in zip(message_ids, found, strict=True):
        if known is not None:
            by_mailbox.setdefault(known, []).append(message_id)
    if unknown := found.count(None):
        reason = f"needed: {organization.id} has several and {unknown} of the messages are not known yet"
        raise Refusal(422, "validation", f"mailbox: {reason}", details=[Detail("mailbox", reason)])
    return by_mailbox
