"""All organizations of the file, found by id or by mailbox, and their credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workers.errors import SettingsError
from workers.job_tables import JobTable, scheduled_jobs
from workers.jobs import ScheduledJob
from workers.organizations.organization import Organization
from workers.organizations.own_categories import OwnExamples, read_examples
from workers.organizations.webhooks import Webhook
from workers.settings import secret


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
        self._own_examples: dict[str, OwnExamples] = {}
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

    def webhook_secrets(self, webhook: Webhook) -> tuple[str, ...]:
        """The secrets that sign what a webhook is sent; raises SettingsError naming what is missing."""
        return tuple(secret(reference, relative_to=self._base_dir) for reference in webhook.secret)

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

    def own_examples(self, organization: Organization) -> OwnExamples:
        """What the file says of the organization's own categories, read once; raises SettingsError."""
        if organization.id not in self._own_examples:
            try:
                read = read_examples(organization.categories, relative_to=self._base_dir)
            except SettingsError as problem:
                raise SettingsError(f"organizations.{organization.id}.{problem}") from None
            self._own_examples[organization.id] = read
        return self._own_examples[organization.id]

    def llm_key(self, organization: Organization) -> str | None:
        """The key of the organization's language model, None where it needs none; raises SettingsError."""
        if organization.llm.api_key is None:
            return None
        try:
            return secret(organization.llm.api_key, relative_to=self._base_dir)
        except SettingsError as problem:
            raise SettingsError(f"organizations.{organization.id}.llm.api_key: {problem}") from None
