"""The organizations file (TOML): whose mailboxes, by which rules. Read at start and again on SIGHUP."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from workers.errors import SettingsError
from workers.job_tables import JobTable, JobTimes, scheduled_jobs
from workers.jobs import ScheduledJob
from workers.settings import secret

Category = Literal["finance", "calendar", "support", "sales", "newsletter", "spam", "personal", "general"]
Level = Literal["low", "medium", "high"]
Sentiment = Literal["positive", "neutral", "negative"]
Mode = Literal["observe", "draft", "act"]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Address = Annotated[str, Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$", max_length=254)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Strict):
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


class Step(_Strict):
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


class Brake(_Strict):
    """When a rule pauses itself, so that a loop or a wrong rule does little harm.

    It does once it applied to more than `per_hour` messages within an hour of the clock, if these were also
    at least this `share` of all messages of the organization in that hour (0: whatever their share).
    """

    per_hour: Annotated[int, Field(ge=1)]
    share: Annotated[float, Field(ge=0, le=1)] = 0.0


class Rule(_Strict):
    """What to do with messages for which `when` holds; the first rule that matches wins."""

    name: Identifier
    when: When = When()
    then: Annotated[tuple[Step, ...], Field(min_length=1)]
    paused: bool = False
    once_per_correspondent_h: Annotated[int, Field(ge=0)] = 24
    """A correspondent gets at most one automatic reply of this rule in so many hours; 0 lifts the bound."""
    brake: Brake | None = None

    @model_validator(mode="after")
    def _answers_once(self) -> Rule:
        if sum(step.type == "respond" for step in self.then) > 1:
            raise ValueError(f"rule {self.name}: a message is answered once; keep one respond")
        return self


class Template(_Strict):
    """Subject and body of an automatic reply or forward, as jinja2 text."""

    subject: str | None = None
    body: str


class Organization(_Strict):
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
    forward: dict[str, tuple[Address, ...]] = {}
    rules: tuple[Rule, ...] = ()
    templates: dict[str, Template] = {}
    report_to: tuple[Address, ...] = ()
    jobs: dict[str, JobTimes] = {}
    """Times of its own for scheduled jobs (see workers/job_tables.py)."""

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
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


_JOBS: TypeAdapter[dict[Identifier, JobTable]] = TypeAdapter(dict[Identifier, JobTable])


@dataclass(frozen=True)
class Credential:
    """What msal needs to get an app token: a secret, or a certificate's private key and public part (PEM)."""

    client_secret: str | None = None
    certificate_pem: str | None = None


class Organizations:
    """All organizations of the file, found by id or by mailbox, and the schedule's part of it."""

    def __init__(
        self,
        organizations: tuple[Organization, ...],
        *,
        base_dir: Path = Path(),
        jobs: Mapping[str, JobTable] | None = None,
    ) -> None:
        self._by_id = {organization.id: organization for organization in organizations}
        self.scheduled_jobs: dict[str, ScheduledJob] = scheduled_jobs(
            jobs or {}, {organization.id: organization.jobs for organization in organizations}
        )
        self._base_dir = base_dir
        self._by_mailbox: dict[str, Organization] = {}
        for organization in organizations:
            for mailbox in organization.mailboxes:
                if mailbox in self._by_mailbox:
                    other = self._by_mailbox[mailbox].id
                    raise SettingsError(
                        f"organizations.{organization.id}.mailboxes: {mailbox} already belongs to {other}"
                    )
                self._by_mailbox[mailbox] = organization

    def __iter__(self) -> Iterator[Organization]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, organization_id: str) -> Organization | None:
        return self._by_id.get(organization_id)

    def of_mailbox(self, mailbox: str) -> Organization | None:
        return self._by_mailbox.get(mailbox.lower())

    def is_ours(self, address: str) -> bool:
        """Whether the address is a configured mailbox of any organization (we never answer ourselves)."""
        return address.lower() in self._by_mailbox

    def credential(self, organization: Organization) -> Credential:
        """Read the organization's secret or certificate; raises SettingsError naming what is missing."""
        label = f"organizations.{organization.id}"
        try:
            if organization.certificate is not None:
                return Credential(
                    certificate_pem=secret(organization.certificate, relative_to=self._base_dir)
                )
            return Credential(
                client_secret=secret(organization.client_secret or "", relative_to=self._base_dir)
            )
        except SettingsError as problem:
            field = "certificate" if organization.certificate is not None else "client_secret"
            raise SettingsError(f"{label}.{field}: {problem}") from None


def load_organizations(path: Path | None) -> Organizations:
    """Read and check the organizations file; raises SettingsError that names the field and the fix."""
    if path is None:
        return Organizations(())
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as unreadable:
        raise SettingsError(f"ECONEURA_ORGANIZATIONS: cannot read {path}: {unreadable.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as malformed:
        raise SettingsError(f"{path}: not valid TOML: {malformed}") from None
    if unknown := sorted(set(raw) - {"organizations", "jobs"}):
        raise SettingsError(
            f"{path}: unknown table {', '.join(unknown)}; organizations go under [organizations.ID]"
        )
    tables = raw.get("organizations", {})
    if not isinstance(tables, dict):
        raise SettingsError(f"{path}: organizations must be a table: [organizations.ID]")
    return Organizations(
        tuple(_organization(path, identifier, table) for identifier, table in tables.items()),
        base_dir=path.parent,
        jobs=_jobs(path, raw.get("jobs", {})),
    )


def _jobs(path: Path, tables: Any) -> dict[str, JobTable]:
    try:
        return _JOBS.validate_python(tables)
    except ValidationError as invalid:
        raise SettingsError(f"{path}: {_problems(invalid, 'jobs')}") from None


def _organization(path: Path, identifier: str, table: Any) -> Organization:
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: organizations.{identifier} must be a table")
    try:
        return Organization.model_validate({"id": identifier, **table})
    except ValidationError as invalid:
        raise SettingsError(f"{path}: {_problems(invalid, 'organizations', identifier)}") from None


def _problems(invalid: ValidationError, *table: str) -> str:
    problems = []
    for error in invalid.errors():
        where = ".".join(str(part) for part in (*table, *error["loc"]))
        text = "unknown setting" if error["type"] == "extra_forbidden" else error["msg"]
        problems.append(f"{where}: {text.removeprefix('Value error, ')}")
    return "; ".join(problems)
