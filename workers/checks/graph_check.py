"""Whether each organization's credential works, may do what its rules need, and reaches its mailboxes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import jwt
import redis
import redis.asyncio

from workers.checks.finding import Finding, note, ok, problem
from workers.errors import EconeuraError
from workers.graph import paths
from workers.graph.client import Graph, GraphSession
from workers.graph.tokens import App, Tokens
from workers.organizations import Organization, Organizations
from workers.settings import Settings

_AT_ONCE = 16
_SHOWN = 5


async def check_organizations(
    settings: Settings, organizations: Organizations, client: redis.asyncio.Redis
) -> AsyncIterator[Finding]:
    """Findings on every organization; one that is broken does not hide the others."""
    async with GraphSession.open(settings, organizations, client) as session:
        for organization in organizations:
            subject = f"organization {organization.id}"
            try:
                token = await _token(settings, organizations, organization)
            except EconeuraError as refused:
                yield problem(subject, f"no token: {refused}")
                continue
            yield ok(subject, "the login gives a token")
            refusals = await _refusals(session.of(organization.id), organization)
            yield _permissions(subject, _roles_of(token), organization, reads_mail=not refusals)
            yield _mailboxes(subject, organization, refusals)


async def _token(settings: Settings, organizations: Organizations, organization: Organization) -> str:
    app = App(organization.id, organization.tenant_id, organization.client_id)
    return await Tokens(app, lambda: organizations.credential(organization), settings).token()


def needed_roles(organization: Organization) -> frozenset[str]:
    """The application permissions that its mode and rules need (Graph permissions reference)."""
    if organization.mode == "observe":
        return frozenset({"Mail.Read"})
    roles = {"Mail.ReadWrite", "MailboxSettings.ReadWrite"}
    actions = {step.type for rule in organization.rules for step in rule.then}
    sends = bool(actions & {"respond", "forward"}) or bool(organization.forward)
    if sends and organization.mode == "act":
        roles.add("Mail.Send")
    return frozenset(roles)


def _permissions(
    subject: str, granted: frozenset[str], organization: Organization, *, reads_mail: bool
) -> Finding:
    has = granted | {role.replace("ReadWrite", "Read") for role in granted}
    missing = sorted(needed_roles(organization) - has)
    if not missing:
        return ok(subject, "permissions cover its mode and rules")
    if reads_mail and not any(role.startswith("Mail.") for role in granted):
        # RBAC for Applications grants in Exchange, which a token does not show.
        return note(
            subject, f"the mail can be read; make sure that Exchange's RBAC grants {', '.join(missing)}"
        )
    return problem(
        subject,
        f"permission {', '.join(missing)} is missing: add it (type Application) to app "
        f"{organization.client_id} and give admin consent",
    )


def _roles_of(token: str) -> frozenset[str]:
    """The roles in a token. It came from the login just now and decides nothing here: not verified."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return frozenset()
    return frozenset(claims.get("roles", ()))


async def _refusals(graph: Graph, organization: Organization) -> list[str]:
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def refusal(mailbox: str, folder: str) -> str:
        async with at_once:
            try:
                await graph.get(paths.folder(mailbox, folder), mailbox=mailbox, params={"$select": "id"})
            except EconeuraError as refused:
                return f"{mailbox} {folder}: {refused}"
            except redis.RedisError as away:
                return f"{mailbox} {folder}: not asked, as Redis is away: {away}"
        return ""

    places = [(mailbox, folder) for mailbox in organization.mailboxes for folder in organization.folders]
    return [text for text in await asyncio.gather(*(refusal(*place) for place in places)) if text]


def _mailboxes(subject: str, organization: Organization, refusals: Sequence[str]) -> Finding:
    if not refusals:
        return ok(subject, f"{len(organization.mailboxes)} mailbox(es) can be read")
    more = f" (and {len(refusals) - _SHOWN} more)" if len(refusals) > _SHOWN else ""
    return problem(
        subject,
        f"cannot read {'; '.join(refusals[:_SHOWN])}{more}: check the addresses, their licences, and that no "
        "access policy of Exchange excludes them",
    )
