"""The organizations in force: read at start, and again on SIGHUP."""

from __future__ import annotations

from collections.abc import Callable

from api.refusals import invalid
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


def mailbox_of(organization: Organization, mailbox: str) -> str:
    """The mailbox as configured; refuses (422) one that is not the organization's."""
    if mailbox.lower() not in organization.mailboxes:
        raise invalid("mailbox", f"not a mailbox of organization {organization.id}")
    return mailbox.lower()
