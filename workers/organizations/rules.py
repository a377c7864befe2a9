"""Rules of an organization and what they name: conditions, actions, templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Category = Literal["finance", "calendar", "support", "sales", "newsletter", "spam", "personal", "general"]
Level = Literal["low", "medium", "high"]
Sentiment = Literal["positive", "neutral", "negative"]
Mode = Literal["observe", "draft", "act"]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Address = Annotated[str, Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$", max_length=254)]
MODEL_TEXT = "llm_reply"
"""What a template calls the text that a language model writes for this one message."""


class Strict(BaseModel):
    """A table of the file: unknown settings are refused, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class When(Strict):
    """Conditions of a rule: every one given must hold; a list holds if any of its values does."""

    category: tuple[str, ...] = ()
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    urgency: tuple[Level, ...] = ()
    sentiment: tuple[Sentiment, ...] = ()
    language: tuple[str, ...] = ()
    from_domain: tuple[str, ...] = ()
    subject_contains: tuple[str, ...] = ()
    has_entity: tuple[str, ...] = ()

    @field_validator(
        "category",
        "urgency",
        "sentiment",
        "language",
        "from_domain",
        "subject_contains",
        "has_entity",
        mode="before",
    )
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Step(Strict):
    """One action of a rule, with what it needs: a category name, forward addresses or a template's name."""

    type: Literal["categorize", "respond", "forward", "archive"]
    category: str | None = None
    addresses: tuple[Address, ...] = ()
    template: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_toml(cls, value: Any) -> Any:
        """Accept the file's forms, e.g. "archive" and { categorize = "X" }."""
        if value == "archive":
            return {"type": "archive"}
        if isinstance(value, Mapping) and "type" not in value and len(value) == 1:
            ((kind, argument),) = value.items()
            field = {"categorize": "category", "forward": "addresses", "respond": "template"}.get(kind)
            if field is not None:
                if field == "addresses" and isinstance(argument, str):
                    argument = [argument]
                if not argument:
                    raise ValueError(f"{kind} needs a value")
                return {"type": kind, field: argument}
        if isinstance(value, Mapping) and "type" in value:
            return value
        raise ValueError(
            'an action is "archive", { categorize = "Name" }, { forward = ["a@b.example"] } or '
            '{ respond = "template" }'
        )


class Brake(Strict):
    """When a rule pauses itself, so that a loop or a wrong rule does little harm.

    It does once it applied to more than `per_hour` messages within an hour of the clock, if these were also
    at least this `share` of all messages of the organization in that hour (0: whatever their share).
    """

    per_hour: Annotated[int, Field(ge=1)]
    share: Annotated[float, Field(ge=0, le=1)] = 0.0


class Rule(Strict):
    """What to do with messages for which `when` holds; the first rule that matches wins."""

    name: Identifier
    when: When = When()
    then: Annotated[tuple[Step, ...], Field(min_length=1)]
    paused: bool = False
    once_per_correspondent_h: Annotated[int, Field(ge=0)] = 24
    """A correspondent gets at most one automatic reply of this rule in so many hours; 0 lifts the bound."""
    brake: Brake | None = None
    llm_may_send: bool = False
    """Whether a reply with text by a language model may go out without a person."""

    @model_validator(mode="after")
    def _answers_once(self) -> Rule:
        if sum(step.type == "respond" for step in self.then) > 1:
            raise ValueError(f"rule {self.name}: a message is answered once; keep one respond")
        return self


class Template(Strict):
    """Subject and body of an automatic reply or forward, as jinja2 text."""

    subject: str | None = None
    body: str

    @property
    def has_model_text(self) -> bool:
        """Whether part of it is written by a language model."""
        return MODEL_TEXT in self.body
