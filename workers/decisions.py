"""What to do with a message: its analysis and the organization's rules in, a plan out. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from hashlib import sha256

import orjson

from workers.analysis import Analysis
from workers.organizations import Organization, Rule, Step, When

REVIEW = "review"
URGENT = "urgent"
BELOW_FLOOR = "below_floor"
DEFAULT = "default"
_REPLY_STOPS_FORWARD = frozenset({"auto_reply", "bounce"})


@dataclass(frozen=True)
class Facts:
    """What rules may ask about a message besides its analysis."""

    sender: str
    subject: str
    sender_is_ours: bool = False

    @property
    def sender_domain(self) -> str:
        return self.sender.rpartition("@")[2].lower()


@dataclass(frozen=True)
class PlannedAction:
    """One action to take. `held_back` says why it is not to be taken after all."""

    type: str
    categories: tuple[str, ...] = ()
    held_back: str = ""


@dataclass(frozen=True)
class Decision:
    """The rule that applied, its version (a digest of its text) and what follows from it."""

    rule: str
    version: str
    actions: tuple[PlannedAction, ...]
    paused: bool = False


def decide(
    analysis: Analysis, facts: Facts, organization: Organization, paused: AbstractSet[str] = frozenset()
) -> Decision:
    """Choose the first rule that matches; below the confidence floor a person reviews instead.

    `paused` names what was paused by hand: "organization" or "organization/rule".
    """
    rules = organization.rules or default_rules(organization)
    rule = next((rule for rule in rules if _matches(rule.when, analysis, facts, organization)), None)
    if rule is None:
        rule = _without_match(analysis, organization)
    if rule is None:
        return Decision("none", "", (), paused=is_paused(organization, None, paused))
    actions = tuple(_hold_back(action, analysis, facts) for action in _ordered(rule.then))
    return Decision(rule.name, version_of(rule), actions, paused=is_paused(organization, rule, paused))


def default_rules(organization: Organization) -> tuple[Rule, ...]:
    """The rules of an organization that wrote none."""
    rules = [
        _default(f"own-{number}", [Step(type="categorize", category=name)], category=(name,))
        for number, name in enumerate(sorted(organization.categories), 1)
    ]
    for category in ("finance", "calendar", "support", "newsletter"):
        steps = [Step(type="categorize", category=category)]
        if organization.forward.get(category) and category == "support":
            steps.append(Step(type="forward", addresses=organization.forward[category]))
        urgent = [*steps, Step(type="categorize", category=URGENT)]
        rules.append(_default(f"{category}-urgent", urgent, category=(category,), urgency=("high",)))
        rules.append(_default(category, steps, category=(category,)))
    rules.append(_default("spam", [Step(type="archive")], category=("spam",)))
    rules.append(_default(URGENT, [Step(type="categorize", category=URGENT)], urgency=("high",)))
    return tuple(rules)


def rule_named(organization: Organization, name: str) -> Rule | None:
    """The rule as it is configured now, for an action that runs later."""
    for rule in organization.rules or default_rules(organization):
        if rule.name == name:
            return rule
    return None


def asks_for(organization: Organization, rule_name: str, action: str) -> bool:
    """Whether the rule, as it is configured now, still asks for this type of action."""
    rule = rule_named(organization, rule_name)
    if rule is None:
        return rule_name == BELOW_FLOOR and action == "categorize"
    return any(step.type == action for step in rule.then)


def is_paused(organization: Organization, rule: Rule | None, paused: AbstractSet[str]) -> bool:
    """Whether nothing is to be done by this rule now, by the file or by hand (`paused`, see `decide`)."""
    if organization.paused or organization.id in paused:
        return True
    return rule is not None and (rule.paused or f"{organization.id}/{rule.name}" in paused)


def brake_trips(rule: Rule, by_rule: int, by_all: int) -> bool:
    """Whether a rule's brake stops it, by the messages of this hour: its own and all."""
    brake = rule.brake
    return brake is not None and by_rule > brake.per_hour and by_rule >= brake.share * by_all


def version_of(rule: Rule) -> str:
    """A short digest that changes with the rule's text."""
    return sha256(orjson.dumps(rule.model_dump(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _default(
    name: str, then: Sequence[Step], *, category: tuple[str, ...] = (), urgency: tuple[str, ...] = ()
) -> Rule:
    when = When.model_validate({"category": category, "urgency": urgency})
    return Rule(name=f"{DEFAULT}-{name}", when=when, then=tuple(then))


def _without_match(analysis: Analysis, organization: Organization) -> Rule | None:
    if analysis.confidence < organization.confidence_floor:
        return Rule(name=BELOW_FLOOR, then=(Step(type="categorize", category=REVIEW),))
    return None


def _matches(when: When, analysis: Analysis, facts: Facts, organization: Organization) -> bool:
    floor = organization.confidence_floor if when.min_confidence is None else when.min_confidence
    subject = facts.subject.casefold()
    return (
        _is_of_category(analysis, when.category, floor)
        and _is_one_of(analysis.urgency, when.urgency)
        and _is_one_of(analysis.sentiment, when.sentiment)
        and _is_one_of(analysis.language, when.language)
        and (not when.from_domain or any(_in_domain(facts.sender_domain, name) for name in when.from_domain))
        and (not when.subject_contains or any(text.casefold() in subject for text in when.subject_contains))
        and (not when.has_entity or any(entity.type in when.has_entity for entity in analysis.entities))
    )


def _is_of_category(analysis: Analysis, wanted: Sequence[str], floor: float) -> bool:
    """Whether it is surely enough of one of these: of the eight, or of the organization's own."""
    if analysis.own_category in wanted and analysis.own_confidence >= floor:
        return True
    return analysis.confidence >= floor and _is_one_of(analysis.category, wanted)


def _is_one_of(value: str, allowed: Sequence[str]) -> bool:
    return not allowed or value in allowed


def _in_domain(domain: str, wanted: str) -> bool:
    wanted = wanted.lower().lstrip("@.")
    return domain == wanted or domain.endswith(f".{wanted}")


def _ordered(steps: Sequence[Step]) -> tuple[PlannedAction, ...]:
    """All categories in one action (one call), the rest in the rule's order, archive last."""
    categories = tuple(dict.fromkeys(step.category for step in steps if step.category is not None))
    actions = [PlannedAction("categorize", categories=categories)] if categories else []
    said: set[str] = set()
    for step in steps:
        # Forwards of one rule are one message to all its addresses.
        if step.type in ("respond", "forward") and step.type not in said:
            said.add(step.type)
            actions.append(PlannedAction(step.type))
    if any(step.type == "archive" for step in steps):
        actions.append(PlannedAction("archive"))
    return tuple(actions)


def _hold_back(action: PlannedAction, analysis: Analysis, facts: Facts) -> PlannedAction:
    """Loops: nothing automatic answers automatic mail or ourselves (RFC 3834, section 2)."""
    reason = ""
    if action.type == "respond":
        reason = "own_mail" if facts.sender_is_ours else analysis.automatic or ""
        if not reason and not facts.sender:
            reason = "no_sender"
    elif action.type == "forward":
        automatic = analysis.automatic if analysis.automatic in _REPLY_STOPS_FORWARD else ""
        reason = "own_mail" if facts.sender_is_ours else automatic or ""
    return replace(action, held_back=reason) if reason else action
