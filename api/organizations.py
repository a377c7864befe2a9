"""Organizations: what is configured, without secrets, and the switch that stops acting."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet

from aiohttp import web

from api import routes
from api.audit import note
from api.envelope import answer
from api.refusals import invalid
from api.routes import NOTHING, Answer, Routes
from api.schemas.organizations import OneOrganization, OrganizationList, ShownOrganization, ShownRule, Switch
from api.visibility import visible
from api.wiring import STORE
from workers.decisions import default_rules, rule_named
from workers.organizations import Organization, Rule

ORGANIZATIONS = Routes("organizations")
_TO_THE_FIRST = {name: {"id": "/organizations/0/id"} for name in ("pause", "resume", "list_webhooks")}


@ORGANIZATIONS.add(
    "GET",
    "/organizations",
    takes=NOTHING,
    needs="read",
    answers={200: Answer("All of them.", OrganizationList, leads_to=_TO_THE_FIRST)},
)
async def list_organizations(request: web.Request, _: None) -> web.Response:
    """List the configured organizations (those that the key is good for), their rules and what is paused."""
    organizations = await asyncio.gather(
        *(_shown(request, organization) for organization in visible(request))
    )
    return answer(OrganizationList(organizations=list(organizations), count=len(organizations)))


@ORGANIZATIONS.add(
    "POST",
    "/organizations/{id}/pause",
    takes=routes.body(Switch),
    needs="operate",
    changes="organization.paused",
    answers={200: Answer("Paused.", OneOrganization)},
    refusals=(404,),
)
async def pause(request: web.Request, given: Switch) -> web.Response:
    """Stop acting for an organization, or by one of its rules. Messages are still recorded and analysed."""
    organization = _named(request, given)
    await request.app[STORE].switches.pause(organization.id, given.rule)
    note(request, organization_id=organization.id, rule=given.rule)
    return answer(OneOrganization(organization=await _shown(request, organization)))


@ORGANIZATIONS.add(
    "POST",
    "/organizations/{id}/resume",
    takes=routes.body(Switch),
    needs="operate",
    changes="organization.resumed",
    answers={200: Answer("Resumed.", OneOrganization)},
    refusals=(404,),
)
async def resume(request: web.Request, given: Switch) -> web.Response:
    """Act again. What the configuration file pauses stays paused."""
    organization = _named(request, given)
    await request.app[STORE].switches.resume(organization.id, given.rule)
    note(request, organization_id=organization.id, rule=given.rule)
    return answer(OneOrganization(organization=await _shown(request, organization)))


def _named(request: web.Request, given: Switch) -> Organization:
    organization = visible(request).organization(request.match_info["id"])
    if given.rule is not None and rule_named(organization, given.rule) is None:
        raise invalid("rule", f"organization {organization.id} has no such rule")
    return organization


async def _shown(request: web.Request, organization: Organization) -> ShownOrganization:
    store = request.app[STORE]
    paused, unfinished = await asyncio.gather(
        store.switches.paused(), store.unfinished.count(organization.id)
    )
    by_hand = organization.id in paused
    return ShownOrganization(
        id=organization.id,
        mode=organization.mode,
        paused=organization.paused or by_hand,
        paused_by="configuration" if organization.paused else "operator" if by_hand else None,
        mailboxes=list(organization.mailboxes),
        folders=list(organization.folders),
        timezone=organization.timezone,
        language=organization.language,
        rules=[
            _shown_rule(organization, rule, paused)
            for rule in organization.rules or default_rules(organization)
        ],
        unfinished=unfinished,
    )


def _shown_rule(organization: Organization, rule: Rule, paused: AbstractSet[str]) -> ShownRule:
    return ShownRule(
        name=rule.name,
        paused=rule.paused or f"{organization.id}/{rule.name}" in paused,
        actions=[step.type for step in rule.then],
    )
