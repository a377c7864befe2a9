"""What people say of a message, and what was learned of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from api.schemas.emails import JobError
from api.schemas.forms import Given, MailboxAddress, OrganizationId, Shown

Level = Literal["low", "medium", "high"]
Mood = Literal["positive", "neutral", "negative"]
Source = Literal["person", "category", "folder"]


class Feedback(Given):
    """What is right of a message: give what the analysis got wrong (or right)."""

    organization_id: Annotated[OrganizationId, Field(examples=["org_456"])]
    category: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=64,
            description="One of finance, calendar, support, sales, newsletter, spam, personal, general, "
            "or of the organization's own.",
            examples=["sales"],
        ),
    ] = None
    urgency: Annotated[Level | None, Field(examples=["high"])] = None
    sentiment: Mood | None = None
    mailbox: Annotated[MailboxAddress | None, Field(description="May be left out: the message is known.")] = (
        None
    )

    @model_validator(mode="after")
    def _says_something(self) -> Feedback:
        if self.category is None and self.urgency is None and self.sentiment is None:
            raise ValueError("give category, urgency or sentiment")
        return self


class Understanding(Shown):
    """What a message is taken for by what was learned so far."""

    category: str
    own_category: str | None
    urgency: Level
    sentiment: Mood


class LearnedFeedback(Shown):
    """What was said, and what the analysis makes of the message before and after it was learned.

    `status`: kept; replaced, where something had been said before; older, where a later word stands.
    """

    message_id: str
    category: str | None
    urgency: Level | None
    sentiment: Mood | None
    source: Source
    status: Literal["kept", "replaced", "older", "outranked"]
    version: Annotated[int, Field(ge=0, description="Of all that the organization has taught; it rises.")]
    before: Understanding
    after: Understanding


class FeedbackQueued(Shown):
    job_id: str
    status: Literal["queued", "running", "retrying"]


class FeedbackLearned(Shown):
    """`feedback` is null where the job failed (not_found: the message is gone, nothing can be learned)."""

    job_id: str
    status: Literal["completed", "failed"]
    feedback: LearnedFeedback | None
    error: JobError | None


class FeedbackWithdrawn(Shown):
    message_id: str
    version: Annotated[int, Field(ge=0)]


class Agreement(Shown):
    """Of `judged` things that people said, how many the analysis had right: without any learning, and with
    what it had learned before each was said."""

    judged: Annotated[int, Field(ge=0)]
    right_without: Annotated[int, Field(ge=0)]
    right_learned: Annotated[int, Field(ge=0)]


class LearningChange(Shown):
    """One change: a correction kept or replaced (what was said), or withdrawn."""

    version: int
    at: str
    status: Literal["kept", "replaced", "withdrawn"]
    message_id: str
    source: Source
    by: str
    category: str | None
    urgency: str | None
    sentiment: str | None


class Learning(Shown):
    """What an organization has taught: corrections in force by source, agreement, the last changes."""

    organization_id: str
    version: Annotated[int, Field(ge=0, description="0: nothing was ever taught.")]
    corrections: dict[Source, Annotated[int, Field(ge=0)]]
    own_categories: list[str]
    agreement: dict[str, Agreement]
    changes: list[LearningChange]


class OneLearning(Shown):
    learning: Learning
