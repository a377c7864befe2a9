"""The ledger record of a message: what a claim hands to the pipeline, and what the trace shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from workers.store.neighbours import known_to

State = Literal["recorded", "claimed", "acting", "done", "skipped", "dead"]
StepState = Literal["planned", "reserved", "sending", "done", "skipped", "waiting", "observed"]
FINISHED: frozenset[str] = frozenset({"done", "skipped", "dead"})
STEP_BEGUN: frozenset[str] = frozenset({"reserved", "sending", "done", "waiting"})
STEP_ENDED: frozenset[str] = frozenset({"done", "skipped", "waiting", "observed"})


@dataclass(frozen=True)
class PlannedStep:
    """One action of a plan and how far it came. `index` is its place in the plan."""

    index: int
    type: str
    rule: str
    status: StepState = "planned"
    categories: tuple[str, ...] = ()
    detail: str = ""
    tag: str = ""
    draft_id: str = ""
    attempts: int = 0
    request_ids: tuple[str, ...] = ()
    changed_at: str = ""
    text_by: str = ""
    """Of a reply: which language model wrote part of it, and what that took."""

    @property
    def is_over(self) -> bool:
        return self.status in STEP_ENDED

    @property
    def has_begun(self) -> bool:
        return self.status in STEP_BEGUN

    def to_json(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, raw: bytes) -> PlannedStep:
        fields = known_to(cls, orjson.loads(raw))
        for name in ("categories", "request_ids"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


@dataclass(frozen=True)
class Record:
    """A message in the ledger. Times are milliseconds since 1970, 0 where not reached."""

    organization_id: str
    mailbox: str
    message_id: str
    state: State
    reason: str = ""
    fence: int = 0
    internet_message_id: str = ""
    subject: str = ""
    from_domain: str = ""
    sender: str = ""
    """Fingerprint of the sender's address, which is kept nowhere: whose data a record is."""
    folder: str = ""
    """The watched folder it entered, "" for one that was named through the API; `folder_id` is Graph's."""
    folder_id: str = ""
    received_at: str = ""
    sent_at: str = ""
    seen_at: int = 0
    claimed_at: int = 0
    finished_at: int = 0
    notified_at: int = 0
    analysis: dict[str, Any] | None = None
    decision: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    steps: tuple[PlannedStep, ...] = ()
    jobs: tuple[str, ...] = ()
    history: tuple[tuple[str, int], ...] = ()
    error: str = ""
    erased_at: int = 0
    categories: tuple[str, ...] = ()
    etag: str = ""
    """Graph's categories and version of the message when it was recorded, "" where these are not known."""
    paused: frozenset[str] = frozenset()
    """What was paused by hand when it was claimed: "organization" or "organization/rule"."""
    parked: dict[str, Any] | None = field(default=None, repr=False)
    """The message as Graph gave it, where the claim asked for it and it was still there."""
    taught: int = 0
    """The version of the organization's corrections when it was claimed, 0 where there never were any."""

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED

    @property
    def is_under_way(self) -> bool:
        """Whether its plan must be carried on, not made anew: some of it may have happened."""
        return bool(self.steps) and (self.state == "acting" or any(step.has_begun for step in self.steps))

    def with_step(self, step: PlannedStep) -> Record:
        return replace(self, steps=tuple(step if old.index == step.index else old for old in self.steps))


def decode(fields: dict[bytes, bytes]) -> Record:
    """A Record from the fields of its hash."""
    text = {name.decode(): value for name, value in fields.items()}

    def string(name: str) -> str:
        return text.get(name, b"").decode()

    def number(name: str) -> int:
        return int(text.get(name) or 0)

    def document(name: str) -> dict[str, Any] | None:
        raw = text.get(name)
        return orjson.loads(raw) if raw else None

    indexes = sorted(int(name[5:]) for name in text if name.startswith("step:"))
    return Record(
        organization_id=string("organization"),
        mailbox=string("mailbox"),
        message_id=string("message_id"),
        state=string("state"),  # type: ignore[arg-type]
        reason=string("reason"),
        fence=number("fence"),
        internet_message_id=string("internet_message_id"),
        subject=string("subject"),
        from_domain=string("from_domain"),
        sender=string("sender"),
        folder=string("folder"),
        folder_id=string("folder_id"),
        received_at=string("received_at"),
        sent_at=string("sent_at"),
        seen_at=number("seen_at"),
        claimed_at=number("claimed_at"),
        finished_at=number("finished_at"),
        erased_at=number("erased_at"),
        notified_at=number("notified_at"),
        analysis=document("analysis"),
        decision=document("decision"),
        result=document("result"),
        steps=tuple(PlannedStep.from_json(text[f"step:{index}"]) for index in indexes),
        jobs=tuple(string("jobs").split()),
        history=tuple(_transition(part) for part in string("history").split()),
        error=string("error"),
        categories=tuple(orjson.loads(text.get("categories") or b"[]")),
        etag=string("etag"),
    )


def _transition(text: str) -> tuple[str, int]:
    state, _, at = text.partition("@")
    return state, int(at)
