"""The organizations that a caller may see. Others are to the caller as if they did not exist."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from api.caller import CALLER, Caller
from api.refusals import Refusal, unknown_organization
from api.wiring import DIRECTORY
from workers.organizations import Organization, Organizations


class Visible:
    """Organizations in force, those that are not the caller's left out."""

    def __init__(self, organizations: Organizations, caller: Caller) -> None:
        self._organizations = organizations
        self._caller = caller

    def __iter__(self) -> Iterator[Organization]:
        return (item for item in self._organizations if self._caller.may_see(item.id))

    def organization(self, organization_id: str) -> Organization:
        """The organization of this id; refuses (404) an unknown one."""
        organization = self._organizations.get(organization_id)
        if organization is None or not self._caller.may_see(organization_id):
            raise unknown_organization(organization_id)
        return organization

    def owner(self, mailbox: str, organization_id: str | None) -> Organization:
        """The organization that a mailbox belongs to; refuses (404) one that is nobody's or another's."""
        if organization_id is not None:
            self.organization(organization_id)
        owner = self._organizations.of_mailbox(mailbox)
        if owner is None or not self._caller.may_see(owner.id) or organization_id not in (None, owner.id):
            whose = "any organization" if organization_id is None else f"organization {organization_id}"
            raise Refusal(404, "unknown_mailbox", f"the mailbox is not one of {whose}")
        return owner


def visible(request: web.Request) -> Visible:
    return Visible(request.app[DIRECTORY].current, request[CALLER])


def narrowed(request: web.Request, organization_id: str | None) -> frozenset[str] | None:
    """The organizations to filter a list by: the one asked for, else the caller's own; None is all of them.

    Refuses (404) one that is not the caller's.
    """
    caller = request[CALLER]
    if organization_id is None:
        return caller.organizations
    if not caller.may_see(organization_id):
        raise unknown_organization(organization_id)
    return frozenset({organization_id})
