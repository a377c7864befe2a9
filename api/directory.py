"""The organizations in force: read at start, and again on SIGHUP."""

from __future__ import annotations

from collections.abc import Callable

from api.refusals import Refusal, invalid, unknown_organization
from workers import logs
from workers.errors import SettingsError
from workers.organizations import Organization, Organizations, load_organizations
from workers.settings import Settings

_log = logs.get_logger("api")


class Directory:
    """The organizations file; those who keep something made from it are told when it changes."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.organizations
        self._listeners: list[Callable[[Organizations], None]] = []
        self.current: Organizations = load_organizations(self._path)

    def on_change(self, listener: Callable[[Organizations], None]) -> None:
        self._listeners.append(listener)

    def reload(self) -> None:
        """Read the file again; a bad one changes nothing and the log says why."""
        try:
            self.current = load_organizations(self._path)
        except SettingsError as mistake:
            _log.error("organizations_not_reloaded", reason=str(mistake))
            return
        for listener in self._listeners:
            listener(self.current)
        _log.info("organizations_reloaded", count=len(self.current))

    def organization(self, organization_id: str) -> Organization:
        """The organization of this id; refuses (404) an unknown one."""
        organization = self.current.get(organization_id)
        if organization is None:
            raise unknown_organization(organization_id)
        return organization

    def owner(self, mailbox: str, organization_id: str | None) -> Organization:
        """The organization that a mailbox belongs to; refuses (404) one that is nobody's or another's."""
        if organization_id is not None:
            self.organization(organization_id)
        owner = self.current.of_mailbox(mailbox)
        if owner is None or organization_id not in (None, owner.id):
            whose = "any organization" if organization_id is None else f"organization {organization_id}"
            raise Refusal(404, "unknown_mailbox", f"the mailbox is not one of {whose}")
        return owner


def mailbox_of(organization: Organization, mailbox: str) -> str:
    """The mailbox as configured; refuses (422) one that is not the organization's."""
    if mailbox.lower() not in organization.mailboxes:
        raise invalid("mailbox", f"not a mailbox of organization {organization.id}")
    return mailbox.lower()
