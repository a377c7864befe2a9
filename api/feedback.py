"""Feedback: what people say of messages, learned for their organization alone; it can be taken back."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict

from aiohttp import web

from actors.learning import correction
from api import routes
from api.audit import note
from api.caller import CALLER
from api.directory import mailbox_of
from api.envelope import answer, moment, timestamp
from api.known_email import known_email
from api.preferences import asked_wait_s
from api.refusals import invalid, not_found
from api.routes import NOTHING, Answer, Routes
from api.schemas.emails import TraceQuery
from api.schemas.feedback import (
    Agreement,
    Feedback,
    FeedbackLearned,
    FeedbackQueued,
    FeedbackWithdrawn,
    Learning,
    LearningChange,
    OneLearning,
)
from api.visibility import visible
from api.wiring import PRODUCER, STORE, WAITING
from workers.analysis.result import CATEGORIES
from workers.ids import new_id
from workers.organizations import Organization
from workers.store import CorrectionChange, Job, NewJob
from workers.store.agreement import agreement_of

FEEDBACK = Routes("feedback")
# Who corrects wants it to count for the next message: learning takes a second at most.
_USUALLY_LEARNED_S = 10.0
_CHANGES_SHOWN = 50


@FEEDBACK.add(
    "POST",
    "/emails/{messageId}/feedback",
    takes=routes.body(Feedback),
    needs="submit",
    changes="feedback.given",
    answers={
        200: Answer("Learned: it counts from the next message on.", FeedbackLearned),
        202: Answer(
            "Kept in the queue and not learned yet; follow the job.",
            FeedbackQueued,
            headers={"Location": "The job."},
            leads_to={"read_job": {"jobId": "/jobId"}},
        ),
    },
    refusals=(404,),
    request_headers={"Prefer": "wait=N: wait up to N (60) seconds for it to be learned; 10 unless said."},
)
async def give_feedback(request: web.Request, given: Feedback) -> web.Response:
    """Say what is right of a message; like ones come out right from then on.

    What was said before of the same message is replaced as a whole. It is learned for this organization only,
    from features of the message: no text of it is kept.
    """
    organization = visible(request).organization(given.organization_id)
    mailbox = None if given.mailbox is None else mailbox_of(organization, given.mailbox)
    if given.category is not None:
        _check_category(organization, given.category)
    record = await known_email(request, organization, mailbox)
    named = {"category": given.category, "urgency": given.urgency, "sentiment": given.sentiment}
    said = {head: str(value) for head, value in named.items() if value is not None}
    job_id = new_id()
    message = correction(
        organization,
        record.mailbox,
        record.message_id,
        said,
        by=request[CALLER].name,
        at_ms=int(time.time() * 1000),
        job_id=job_id,
    )
    job = NewJob(job_id, "feedback", organization.id, timestamp())
    await request.app[PRODUCER].send(message, beside=request.app[STORE].jobs.record(job))
    note(
        request,
        organization_id=organization.id,
        category=given.category,
        urgency=given.urgency,
        sentiment=given.sentiment,
    )
    wait_s = asked_wait_s(request)
    found = await request.app[WAITING].wait(
        job_id, timeout_s=_USUALLY_LEARNED_S if wait_s is None else wait_s
    )
    return _told(job_id, found)


@FEEDBACK.add(
    "DELETE",
    "/emails/{messageId}/feedback",
    takes=routes.query(TraceQuery),
    needs="submit",
    changes="feedback.withdrawn",
    answers={200: Answer("Taken back: it is as if it had never been said.", FeedbackWithdrawn)},
    refusals=(404,),
)
async def withdraw_feedback(request: web.Request, asked: TraceQuery) -> web.Response:
    """Take back what was said of a message, by a person or by a change made by hand."""
    organization = visible(request).organization(asked.organization_id)
    message_id = request.match_info["messageId"]
    kept = await request.app[STORE].corrections.withdraw(
        organization.id, message_id, by=request[CALLER].name, source="person"
    )
    if kept.status != "withdrawn":
        raise not_found("nothing was said of such a message of this organization")
    note(request, organization_id=organization.id)
    return answer(FeedbackWithdrawn(message_id=message_id, version=kept.version))


@FEEDBACK.add(
    "GET",
    "/organizations/{id}/learning",
    takes=NOTHING,
    needs="read",
    answers={200: Answer("What the organization has taught.", OneLearning)},
    refusals=(404,),
)
async def read_learning(request: web.Request, _: None) -> web.Response:
    """Show what an organization has taught: corrections in force, how often the analysis agreed, versions."""
    organization = visible(request).organization(request.match_info["id"])
    kept = request.app[STORE].corrections
    version, corrections = await kept.all(organization.id)
    sources = Counter(correction.source for correction in corrections)
    changes = [change async for change in kept.changes(organization.id)]
    learning = Learning(
        organization_id=organization.id,
        version=version,
        corrections={source: sources[source] for source in ("person", "category", "folder")},
        own_categories=sorted(organization.categories),
        agreement={head: Agreement(**asdict(found)) for head, found in agreement_of(changes).items()},
        changes=[_shown(change) for change in changes[:_CHANGES_SHOWN]],
    )
    return answer(OneLearning(learning=learning))


def _check_category(organization: Organization, category: str) -> None:
    known = (*CATEGORIES, *sorted(organization.categories))
    if category not in known:
        raise invalid("category", f"not one of {', '.join(known)}")


def _told(job_id: str, job: Job | None) -> web.Response:
    if job is None or not job.has_ended:
        status = "queued" if job is None else job.status
        headers = {"Location": f"/jobs/{job_id}"}
        return answer({"jobId": job_id, "status": status}, status=202, headers=headers)
    return answer({"jobId": job_id, "status": job.status, "feedback": job.result, "error": job.error})


def _shown(change: CorrectionChange) -> LearningChange:
    return LearningChange.model_validate(
        {
            "version": change.version,
            "at": moment(change.at_ms),
            "status": change.status,
            "message_id": change.message_id,
            "source": change.source,
            "by": change.by,
            **{head: change.said.get(head) for head in ("category", "urgency", "sentiment")},
        }
    )
