"""Decisions: which rule applies, what follows from it, and what is held back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from workers.analysis import Analysis, Entity
from workers.decisions import Decision, Facts, brake_trips, decide
from workers.organizations import Organization

FACTS = Facts(sender="ana@cliente.example", subject="Factura 42")


def analysed(category: str = "general", confidence: float = 0.9, **fields: Any) -> Analysis:
    plain = Analysis(
        id="m1",
        category=category,
        confidence=confidence,
        abstained=confidence < 0.6,
        probabilities={category: confidence},
        urgency="medium",
        sentiment="neutral",
        language="es",
        is_auto_reply=False,
        automatic=None,
        entities=(),
        evidence=(),
        notes=(),
        model="test",
        ms=0.0,
    )
    return replace(plain, **fields)


def organization(**fields: Any) -> Organization:
    return Organization.model_validate(
        {
            "id": "acme",
            "tenant_id": "t",
            "client_id": "c",
            "client_secret": "env:X",
            "mailboxes": ["soporte@acme.example"],
            "templates": {"acuse": {"body": "Hola"}},
            **fields,
        }
    )


def kinds(decision: Decision) -> list[str]:
    return [action.type for action in decision.actions]


@pytest.mark.parametrize(
    ("analysis", "expected"),
    [
        (analysed("finance"), [("categorize", ("finance",))]),
        (analysed("calendar"), [("categorize", ("calendar",))]),
        (analysed("newsletter"), [("categorize", ("newsletter",))]),
        (analysed("support"), [("categorize", ("support",))]),
        (analysed("spam"), [("archive", ())]),
        (analysed("general"), []),
        (analysed("general", urgency="high"), [("categorize", ("urgent",))]),
        (analysed("finance", urgency="high"), [("categorize", ("finance", "urgent"))]),
        (analysed("spam", urgency="high"), [("archive", ())]),
        (analysed("spam", confidence=0.5), [("categorize", ("review",))]),
    ],
)
def test_the_default_rules(analysis: Analysis, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    decision = decide(analysis, FACTS, organization())
    assert [(action.type, action.categories) for action in decision.actions] == expected


def test_support_is_forwarded_where_a_target_is_set() -> None:
    acme = organization(forward={"support": ["helpdesk@acme.example"]})
    assert kinds(decide(analysed("support"), FACTS, acme)) == ["categorize", "forward"]


def test_the_first_rule_that_matches_wins_and_archive_comes_last() -> None:
    acme = organization(
        rules=[
            {"name": "nunca", "when": {"category": ["sales"]}, "then": ["archive"]},
            {
                "name": "facturas",
                "when": {"category": ["finance"]},
                "then": ["archive", {"categorize": "A"}, {"respond": "acuse"}, {"categorize": "B"}],
            },
            {"name": "todas", "then": ["archive"]},
        ]
    )
    decision = decide(analysed("finance"), FACTS, acme)
    assert decision.rule == "facturas" and decision.version
    assert kinds(decision) == ["categorize", "respond", "archive"]
    assert decision.actions[0].categories == ("A", "B")


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({"from_domain": ["cliente.example"]}, True),
        ({"from_domain": ["liente.example"]}, False),
        ({"from_domain": "example"}, True),
        ({"subject_contains": ["FACTURA"]}, True),
        ({"subject_contains": ["pedido"]}, False),
        ({"has_entity": ["iban"]}, True),
        ({"has_entity": ["phone"]}, False),
        ({"urgency": ["high"]}, False),
        ({"language": "es", "sentiment": "neutral"}, True),
        ({"language": "es", "sentiment": "negative"}, False),
        ({"min_confidence": 0.95}, False),
    ],
)
def test_every_condition_must_hold(when: dict[str, Any], matches: bool) -> None:
    acme = organization(rules=[{"name": "r", "when": when, "then": ["archive"]}])
    iban = Entity(type="iban", text="ES91", value="ES91", start=0, end=4)
    assert (kinds(decide(analysed(entities=(iban,)), FACTS, acme)) == ["archive"]) is matches


def test_a_rules_own_floor_replaces_the_organizations() -> None:
    rules = [{"name": "r", "when": {"min_confidence": 0.2}, "then": ["archive"]}]
    assert kinds(decide(analysed(confidence=0.3), FACTS, organization(rules=rules))) == ["archive"]
    lower = organization(confidence_floor=0.2)
    assert kinds(decide(analysed("spam", confidence=0.3), FACTS, lower)) == ["archive"]


@pytest.mark.parametrize("automatic", ["auto_reply", "bounce", "mailing_list", "no_reply", "bulk"])
def test_automatic_mail_is_not_answered(automatic: str) -> None:
    acme = organization(rules=[{"name": "r", "then": [{"categorize": "A"}, {"respond": "acuse"}]}])
    decision = decide(analysed(automatic=automatic), FACTS, acme)
    assert [(action.type, action.held_back) for action in decision.actions] == [
        ("categorize", ""),
        ("respond", automatic),
    ]


def test_our_own_mail_is_neither_answered_nor_forwarded() -> None:
    acme = organization(rules=[{"name": "r", "then": [{"respond": "acuse"}, {"forward": ["a@b.example"]}]}])
    decision = decide(analysed(), replace(FACTS, sender_is_ours=True), acme)
    assert {action.held_back for action in decision.actions} == {"own_mail"}


def test_a_bounce_is_not_forwarded_but_a_newsletter_may_be() -> None:
    acme = organization(rules=[{"name": "r", "then": [{"forward": ["a@b.example"]}]}])
    assert decide(analysed(automatic="bounce"), FACTS, acme).actions[0].held_back == "bounce"
    assert decide(analysed(automatic="mailing_list"), FACTS, acme).actions[0].held_back == ""


def test_what_is_paused_is_decided_but_not_acted_on() -> None:
    acme = organization(rules=[{"name": "r", "then": ["archive"]}])
    assert not decide(analysed(), FACTS, acme).paused
    assert decide(analysed(), FACTS, acme, {"acme"}).paused
    assert decide(analysed(), FACTS, acme, {"acme/r"}).paused
    assert not decide(analysed(), FACTS, acme, {"acme/other", "other"}).paused
    assert decide(analysed(), FACTS, organization(paused=True)).paused


def test_a_changed_rule_has_another_version() -> None:
    one = organization(rules=[{"name": "r", "then": ["archive"]}])
    other = organization(rules=[{"name": "r", "then": [{"categorize": "A"}]}])
    versions = {decide(analysed(), FACTS, acme).version for acme in (one, other)}
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("brake", "by_rule", "by_all", "trips"),
    [
        ({"per_hour": 10}, 10, 10, False),
        ({"per_hour": 10}, 11, 1000, True),
        ({"per_hour": 10, "share": 0.5}, 11, 30, False),
        ({"per_hour": 10, "share": 0.5}, 15, 30, True),
        (None, 10_000, 10_000, False),
    ],
)
def test_a_brake_trips_on_count_and_share(
    brake: dict[str, float] | None, by_rule: int, by_all: int, trips: bool
) -> None:
    acme = organization(rules=[{"name": "r", "then": ["archive"], "brake": brake}])
    assert brake_trips(acme.rules[0], by_rule, by_all) is trips


class TestOwnCategories:
    RULES = (
        {"name": "reservas", "when": {"category": ["reservas"]}, "then": [{"categorize": "Reservas"}]},
        {"name": "ventas", "when": {"category": ["sales"]}, "then": [{"categorize": "Ventas"}]},
    )

    def rule_for(self, analysis: Analysis) -> str:
        own = organization(categories={"reservas": {}}, rules=self.RULES)
        return decide(analysis, FACTS, own).rule

    def test_a_rule_may_ask_for_one(self) -> None:
        sure = analysed("sales", own_category="reservas", own_confidence=0.8)
        assert self.rule_for(sure) == "reservas"
        assert self.rule_for(replace(sure, confidence=0.3)) == "reservas", "its own confidence counts"

    def test_without_confidence_in_it_the_eight_decide(self) -> None:
        assert self.rule_for(analysed("sales", own_category="reservas", own_confidence=0.5)) == "ventas"
        assert self.rule_for(analysed("sales")) == "ventas"

    def test_without_rules_it_is_categorized_by_its_name(self) -> None:
        analysis = analysed("support", own_category="reservas", own_confidence=0.8)
        decision = decide(analysis, FACTS, organization(categories={"reservas": {}}))
        assert [action.categories for action in decision.actions] == [("reservas",)]
