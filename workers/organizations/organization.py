"""One organization of the file: its credential, mailboxes, rules and templates."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, Field, field_validator, model_validator

from workers.job_tables import JobTimes
from workers.organizations.language_model import LlmSettings
from workers.organizations.own_categories import MOST_CATEGORIES, OwnCategory, OwnName
from workers.organizations.rules import (
    MODEL_TEXT,
    Address,
    Category,
    Identifier,
    Mode,
    Rule,
    Strict,
    Template,
)
from workers.organizations.webhooks import EventType, Webhook


class Organization(Strict):
    """One tenant: its credential, mailboxes, rules and templates."""

    id: Identifier
    tenant_id: str
    client_id: str
    client_secret: str | None = None
    certificate: str | None = None
    mailboxes: Annotated[tuple[Address, ...], Field(min_length=1)]
    timezone: str = "UTC"
    language: Literal["es", "en"] = "es"
    mode: Mode = "act"
    paused: bool = False
    folders: Annotated[tuple[str, ...], Field(min_length=1)] = ("inbox",)
    process_since: AwareDatetime | None = None
    confidence_floor: Annotated[float, Field(ge=0, le=1)] = 0.6
    forward: dict[str, tuple[Address, ...]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    templates: dict[str, Template] = Field(default_factory=dict)
    categories: Annotated[dict[OwnName, OwnCategory], Field(max_length=MOST_CATEGORIES)] = Field(
        default_factory=dict
    )
    """Its own, beside the eight."""
    report_to: tuple[Address, ...] = ()
    llm: LlmSettings = LlmSettings()
    jobs: dict[str, JobTimes] = Field(default_factory=dict)
    """Times of its own for scheduled jobs (see workers/job_tables.py)."""
    webhooks: dict[Identifier, Webhook] = Field(default_factory=dict)
    """Who is told what happened, by name."""

    @field_validator("mailboxes")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(address.lower() for address in value))

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"unknown timezone {value!r}; write it as Europe/Madrid") from None
        return value

    @field_validator("process_since", mode="before")
    @classmethod
    def _utc_unless_said(cls, value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) and value.tzinfo else value

    @model_validator(mode="after")
    def _consistent(self) -> Organization:
        if (self.client_secret is None) == (self.certificate is None):
            raise ValueError("give either client_secret or certificate")
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rules named twice: {', '.join(twice)}")
        for rule in self.rules:
            for step in rule.then:
                if step.template is not None and step.template not in self.templates:
                    raise ValueError(f"rule {rule.name}: no template named {step.template!r} in [templates]")
        self._check_categories()
        self._check_model_texts()
        return self

    def _check_categories(self) -> None:
        if taken := sorted(set(get_args(Category)) & {name.lower() for name in self.categories}):
            raise ValueError(f"categories.{taken[0]}: this is one of the eight already")
        known = {*get_args(Category), *self.categories}
        for rule in self.rules:
            if unknown := sorted(set(rule.when.category) - known):
                raise ValueError(
                    f"rule {rule.name}: category {unknown[0]!r} is none of the eight and not in [categories]"
                )

    def _check_model_texts(self) -> None:
        for name, template in self.templates.items():
            if template.subject is not None and MODEL_TEXT in template.subject:
                raise ValueError(f"templates.{name}: {MODEL_TEXT} belongs in the body, not in the subject")
            if not template.has_model_text:
                continue
            if name == "forward":
                raise ValueError(f"templates.forward: {MODEL_TEXT} is for replies only")
            if not self.llm.endpoint:
                raise ValueError(f"templates.{name}: {MODEL_TEXT} needs a model; name it in [llm]")

    def tells_of(self, event: EventType) -> tuple[str, ...]:
        """The names of the webhooks that are told of such an event."""
        return tuple(name for name, webhook in self.webhooks.items() if event in webhook.events)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)
