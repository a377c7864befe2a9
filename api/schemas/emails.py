"""Submitting messages, and the trace of what became of one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.schemas.forms import Given, MailboxAddress, MessageId, OrganizationId, Priority, Shown

_EXAMPLE_ID = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AKgAAAAEM"


class ProcessEmail(Given):
    """A message to process, by its Graph immutable id."""

    message_id: Annotated[MessageId, Field(examples=[_EXAMPLE_ID])]
    organization_id: Annotated[OrganizationId, Field(examples=["org_456"])]
    mailbox: Annotated[
        MailboxAddress | None,
        Field(description="May be left out where the organization has one, or the message is known."),
    ] = None
    priority: Priority = "normal"
    force: Annotated[
        bool, Field(description="Analyse again even if it is done; repeats no effect all the same.")
    ] = False


class ProcessEmails(Given):
    """Messages to process. Ids given twice count once."""

    message_ids: Annotated[list[MessageId], Field(min_length=1, max_length=1000, examples=[[_EXAMPLE_ID]])]
    organization_id: Annotated[OrganizationId, Field(examples=["org_456"])]
    mailbox: Annotated[
        MailboxAddress | None,
        Field(description="May be left out where the organization has one, or all messages are known."),
    ] = None
    priority: Annotated[Priority, Field(description="Low unless said: fresh mail goes first.")] = "low"


class TraceQuery(Given):
    organization_id: OrganizationId
    mailbox: MailboxAddress | None = None


class Queued(Shown):
    job_id: str
    status: Literal["queued", "running", "retrying"]


class BulkQueued(Shown):
    job_id: str
    status: Literal["queued"]
    accepted: Annotated[int, Field(ge=1, le=1000)]


class JobError(Shown):
    """Why a job failed; `code` is stable (not_found: Graph has no such message)."""

    code: str
    message: str


class _Told(Shown):
    """What the pipeline wrote down. Another release may have written more."""

    model_config = ConfigDict(extra="allow", validate_by_alias=True)


class ActionOutcome(_Told):
    type: Literal["categorize", "respond", "forward", "archive"]
    status: str
    detail: str


class Entity(_Told):
    """Something found in subject + newline + text; `start` and `end` count characters of that."""

    type: str
    text: str
    value: Any
    start: int
    end: int


class Metadata(_Told):
    category: str | None
    own_category: Annotated[
        str | None,
        Field(
            description="One of the organization's own categories, besides; left out if it is of none.",
            exclude_if=lambda own: own is None,
        ),
    ] = None
    sentiment: Literal["positive", "neutral", "negative"] | None
    urgency: Literal["low", "medium", "high"] | None
    language: str | None
    abstained: bool | None
    entities: list[Entity]


class Result(_Told):
    """What became of a message. `processing_time` is in milliseconds."""

    message_id: str
    processed: bool
    action: Literal["categorize", "respond", "forward", "archive", "none"]
    confidence: Annotated[float, Field(ge=0, le=1)]
    metadata: Metadata
    processing_time: Annotated[int, Field(ge=0)]
    actions: list[ActionOutcome]


class Ended(Shown):
    job_id: str
    status: Literal["completed", "failed"]
    result: Result | None
    error: JobError | None


class TracedAction(Shown):
    """One action of the plan. `request_ids` are Graph's, for a support case with Microsoft."""

    type: str
    rule: str
    status: str
    detail: str
    attempts: int
    categories: list[str]
    request_ids: list[str]
    changed_at: str | None
    text_by: Annotated[str, Field(description="Which language model wrote part of a reply, if one did.")]


class Transition(Shown):
    state: str
    at: str


class GivenFeedback(Shown):
    """What was last said of a message: by a person, or by a category or folder that was changed by hand."""

    category: str | None
    urgency: str | None
    sentiment: str | None
    source: Literal["person", "category", "folder"]
    at: str


class Trace(Shown):
    """Everything known of a message but its text."""

    message_id: str
    organization_id: str
    mailbox: str
    folder: str
    internet_message_id: str
    subject: str
    from_domain: str
    state: Literal["recorded", "claimed", "acting", "done", "skipped", "dead"]
    reason: str
    error: str
    received_at: str | None
    seen_at: str | None
    notified_at: str | None
    claimed_at: str | None
    finished_at: str | None
    erased_at: Annotated[str | None, Field(description="When its correspondent's data were erased.")]
    analysis: dict[str, Any] | None
    decision: dict[str, Any] | None
    rule: str | None
    actions: list[TracedAction]
    feedback: GivenFeedback | None
    result: Result | None
    history: list[Transition]


class OneEmail(Shown):
    email: Trace
