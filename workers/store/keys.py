"""The names of everything we keep in Redis, in one place. One hash tag holds a namespace in one slot."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class Keys:
    """Key names of a namespace. The broker's keys (`…:q:`) and the throttle's (`…:throttle:`) are theirs."""

    namespace: str
    partitions: int = 1
    """Of the broker: a fire of the schedule is claimed and queued in one step, so in a partition's slot."""

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

    def filings(self, mailbox: str, folder: str) -> str:
        """String: the delta link after which changes by hand in a folder are to be looked for."""
        return self._key("filings", mailbox, folder)

    def watched_since(self, mailbox: str, folder: str) -> str:
        """String: from when on (ms) a folder's messages count; outlives the loss of the folder's hash."""
        return self._key("watched-since", mailbox, folder)

    def sync_queued(self, mailbox: str) -> str:
        """String: a sync of this mailbox is queued and has not started."""
        return self._key("sync-queued", mailbox)

    def subscriptions(self) -> str:
        """Hash: Graph subscription id -> our state of it (JSON)."""
        return self._key("subscriptions")

    def content_keys(self) -> str:
        """Hash: period -> the key pair (JSON) to which Graph encrypts what rich notifications carry."""
        return self._key("content-keys")

    def job(self, job_id: str) -> str:
        """Hash: a job submitted through the API."""
        return self._key("job", job_id)

    def job_items(self, job_id: str) -> str:
        """Hash: message id -> done or failed, of a bulk job."""
        return self._key("job-items", job_id)

    def jobs_ended(self) -> str:
        """Channel: ids of jobs that ended, for callers that wait."""
        return self._key("jobs-ended")

    def api_keys(self) -> str:
        """Hash: id -> API key without its secret (JSON)."""
        return self._key("api-keys")

    def api_keys_used(self) -> str:
        """Hash: id of an API key -> when it was last used (ms)."""
        return self._key("api-keys-used")

    def schema(self) -> str:
        """String: the version of what is stored."""
        return self._key("schema")

    def audit(self) -> str:
        """Stream: who changed what."""
        return self._key("audit")

    def idempotent(self, caller: str, name: str) -> str:
        """String: the answer to a request that its caller named, or a claim while it is in hand (JSON)."""
        return self._key("idempotent", caller, fingerprint(name))

    def rate(self, kind: str, caller: str) -> str:
        """String: the moment (ms) at which all of a caller's rate limit is free again."""
        return self._key("rate", kind, caller)

    def api_probe(self) -> str:
        """String: written by each api all the time, to know whether Redis takes anything."""
        return self._key("api-probe")

    def paused(self) -> str:
        """Set: organizations ("id") and rules ("id/rule") that a person paused."""
        return self._key("paused")

    def applied(self, organization_id: str, hour: str) -> str:
        """Hash: how many messages each rule applied to in an hour, "" for all of them."""
        return self._key("applied", organization_id, hour)

    def categories(self, mailbox: str) -> str:
        """Set: master categories known to exist in a mailbox."""
        return self._key("categories", mailbox)

    def corrections(self, organization_id: str) -> str:
        """Hash: message id -> what a person said of it, and its features; no text."""
        return self._key("corrections", organization_id)

    def correction_ranks(self, organization_id: str) -> str:
        """Sorted set: those message ids; the first go first where there are too many."""
        return self._key("correction-ranks", organization_id)

    def corrections_version(self, organization_id: str) -> str:
        """String: rises with every change of the corrections."""
        return self._key("corrections-version", organization_id)

    def correction_changes(self, organization_id: str) -> str:
        """Stream: each change of the corrections, with the version that it made."""
        return self._key("correction-changes", organization_id)

    def adjustment(self, organization_id: str) -> str:
        """String: what was learned of the corrections, ready for use."""
        return self._key("adjustment", organization_id)

    def exported(self, organization_id: str) -> str:
        """String: up to when (ms) the organization's journal was exported."""
        return self._key("exported", organization_id)

    def report_mailer(self, organization_id: str, day: str) -> str:
        """String: the queue message that mails the report of a day."""
        return self._key("report-mailer", organization_id, day)

    def report_mail(self, organization_id: str, day: str) -> str:
        """String: "sending" or "sent", for the mail of the report of a day."""
        return self._key("report-mail", organization_id, day)

    def webhook_events(self) -> str:
        """Hash: id -> event (JSON) that webhooks are to be told of and that is not queued yet."""
        return self._key("webhook-events")

    def webhook_log(self, organization_id: str, webhook: str) -> str:
        """Hash: event id -> how telling a webhook of it stands (JSON), the last ones."""
        return self._key("webhook-log", organization_id, webhook)

    def webhook_order(self, organization_id: str, webhook: str) -> str:
        """Sorted set: those events by the time of the last try (ms)."""
        return self._key("webhook-order", organization_id, webhook)

    def cleanup_cursor(self) -> str:
        """String: where the search for orphaned keys goes on."""
        return self._key("cleanup-cursor")

    def health(self) -> str:
        """String: the last look at the whole service (JSON)."""
        return self._key("health")

    def health_samples(self) -> str:
        """Stream: a few figures of each look, for the daily report."""
        return self._key("health-samples")

    def _schedule(self, *parts: str) -> str:
        tag = self.namespace if self.partitions == 1 else f"{self.namespace}:0"
        return ":".join((f"{{{tag}}}", "schedule", *parts))

    def schedule_defined(self) -> str:
        """Hash: id -> definition (JSON) of every job, as the schedulers read it from table and file."""
        return self._schedule("defined")

    def schedule_version(self) -> str:
        """Counter: raised by whatever schedulers must look at now."""
        return self._schedule("version")

    def schedule_job(self, job_id: str) -> str:
        """Hash: what was changed by a person, what was last due, what runs, counters."""
        return self._schedule("job", job_id)

    def schedule_runs(self, job_id: str) -> str:
        """Hash: run id -> run (JSON), the last ones."""
        return self._schedule("runs", job_id)

    def schedule_order(self, job_id: str) -> str:
        """List: ids of those runs, the newest first."""
        return self._schedule("order", job_id)

    def schedule_hour(self, hour: str) -> str:
        """Hash: counts and times of the runs that ended in an hour ("2026-11-22T15"), for the reports."""
        return self._schedule("hour", hour)

    def schedulers(self) -> str:
        """Sorted set: live schedulers by their last sign of life (ms)."""
        return self._schedule("schedulers")


def sender_fingerprint(address: str) -> str:
    """How a record knows whose message it is, without the address; "" for none."""
    return fingerprint(address.strip().lower()) if address else ""


def fingerprint(*parts: str) -> str:
    """A short stable digest of the parts, for keys that must not hold addresses or long ids."""
    return sha256("\x00".join(parts).encode()).hexdigest()[:32]
