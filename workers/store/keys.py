"""The names of everything we keep in Redis, in one place. One hash tag holds a namespace in one slot."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class Keys:
    """Key names of a namespace. The broker's keys (`…:q:`) and the throttle's (`…:throttle:`) are theirs."""

    namespace: str

    def _key(self, *parts: str) -> str:
        return ":".join((f"{{{self.namespace}}}", *parts))

    def email(self, mailbox: str, message_id: str) -> str:
        """Hash: the ledger record of a message."""
        return self._key("email", mailbox, message_id)

    def located(self, organization_id: str, message_id: str) -> str:
        """String: the mailbox in which a message id was last seen."""
        return self._key("located", organization_id, message_id)

    def content(self, mailbox: str, message_id: str) -> str:
        """String: the parked message as Graph gave it, until it is finished or its time is up."""
        return self._key("content", mailbox, message_id)

    def unfinished(self, organization_id: str) -> str:
        """Sorted set: messages neither done, skipped nor dead; score is when they last moved (ms)."""
        return self._key("unfinished", organization_id)

    def journal(self, organization_id: str) -> str:
        """Stream: one entry for each message that reached its end, for reports and exports."""
        return self._key("journal", organization_id)

    def effect(self, fingerprint: str) -> str:
        """String: the message id that reserved an effect (a reply, a forward) that must happen once."""
        return self._key("effect", fingerprint)

    def answered(self, organization_id: str, rule: str, correspondent: str) -> str:
        """String: the message for which a correspondent last got this rule's automatic reply."""
        return self._key("answered", organization_id, rule, fingerprint(correspondent.lower()))

    def folder(self, mailbox: str, folder: str) -> str:
        """Hash: delta link, lease and times of a watched folder."""
        return self._key("folder", mailbox, folder)

    def sync_queued(self, mailbox: str) -> str:
        """String: a sync of this mailbox is queued and has not started."""
        return self._key("sync-queued", mailbox)

    def subscriptions(self) -> str:
        """Hash: Graph subscription id -> our state of it (JSON)."""
        return self._key("subscriptions")

    def job(self, job_id: str) -> str:
        """Hash: a job submitted through the API."""
        return self._key("job", job_id)

    def job_items(self, job_id: str) -> str:
        """Hash: message id -> done or failed, of a bulk job."""
        return self._key("job-items", job_id)

    def jobs_ended(self) -> str:
        """Channel: ids of jobs that ended, for callers that wait."""
        return self._key("jobs-ended")

    def paused(self) -> str:
        """Set: organizations ("id") and rules ("id/rule") that a person paused."""
        return self._key("paused")

    def categories(self, mailbox: str) -> str:
        """Set: master categories known to exist in a mailbox."""
        return self._key("categories", mailbox)


def fingerprint(*parts: str) -> str:
    """A short stable digest of the parts, for keys that must not hold addresses or long ids."""
    return sha256("\x00".join(parts).encode()).hexdigest()[:32]
