"""The one error tree. Each class answers two questions: will waiting help, and who must know?"""

from __future__ import annotations


class EconeuraError(Exception):
    """Root of every error we raise; `code` is stable and safe to show to a caller."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class SettingsError(EconeuraError):
    """A setting is missing, unknown or wrong; the message names it and the fix. Stops the process."""

    code = "settings"


class TemporaryError(EconeuraError):
    """Waiting helps: the work comes back after `retry_after_s` seconds (None: after a backoff)."""

    code = "temporary"

    def __init__(self, message: str, *, retry_after_s: float | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class Throttled(TemporaryError):
    """We are asked to slow down (429, or our own limiter). Burns no attempt: nothing was tried in vain."""

    code = "throttled"


class QueueUnavailable(TemporaryError):
    """Redis did not confirm: the caller must not believe that anything was stored."""

    code = "queue_unavailable"


class Busy(Throttled):
    """Another worker holds this message or folder, or an effect is not visible yet. Burns no attempt."""

    code = "busy"


class Conflict(TemporaryError):
    """The resource changed under us (Graph 409, 412): read it again, then retry."""

    code = "conflict"


class MailboxUnavailable(TemporaryError):
    """Graph has no such mailbox just now: unlicensed, moved, or not known yet; it may come back."""

    code = "mailbox_unavailable"


class NoAnswer(TemporaryError):
    """A language model gave no usable answer; `code` says why. Nobody waits: the local result stands."""

    code = "no_answer"


class PermanentError(EconeuraError):
    """Waiting does not help: the message goes to the dead letters, where a person sees it."""

    code = "permanent"


class NotFound(PermanentError):
    """The thing is not there (Graph 404), or no longer."""

    code = "not_found"


class AccessDenied(PermanentError):
    """Credentials or consent do not allow this (Graph 401 after a fresh token, 403)."""

    code = "access_denied"


class BadRequest(PermanentError):
    """Graph refuses the request as wrong (400): a bug of ours or a bad configuration."""

    code = "bad_request"


class BadSchedule(PermanentError):
    """A cron line or timezone cannot be read; `field` is "schedule" or "timezone"."""

    code = "bad_schedule"

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class MessageTooLarge(PermanentError):
    """A queue message is over the size limit."""

    code = "message_too_large"


class DeltaLinkExpired(EconeuraError):
    """Graph forgot our delta link (410 or syncStateNotFound): list the folder again from the start."""

    code = "delta_link_expired"


class LostClaim(EconeuraError):
    """Our claim on a message ran out and another worker holds it: stop, touch nothing more."""

    code = "lost_claim"
