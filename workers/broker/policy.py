"""How often and how patiently a message is tried, by what its actor says in our words or in dramatiq's."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dramatiq import Actor, Message, MessageProxy

OURS = {"max_attempts", "backoff_base_s", "backoff_factor", "backoff_cap_s"}
"""What an actor may set for itself: `@actor(max_attempts=5)`."""
OF_DRAMATIQ = {"max_retries", "min_backoff", "max_backoff", "retry_when", "throws"}
"""The same as dramatiq's own Retries has it; `max_retries` and the backoffs (ms) a message may set, too."""
_OF_MESSAGES = OURS | {"max_retries", "min_backoff", "max_backoff"}


@dataclass(frozen=True, slots=True)
class Policy:
    """The wait before attempt n + 1 is base * factor^(n - 1) with up to half of it off, at most `cap_s`.

    `retry_when` (retries so far, error) decides in place of `max_attempts`; of `throws` nothing is retried.
    """

    max_attempts: int = 12
    backoff_base_s: float = 1.0
    backoff_factor: float = 2.0
    backoff_cap_s: float = 600.0
    retry_when: Callable[[int, BaseException], bool] | None = None
    throws: type[BaseException] | tuple[type[BaseException], ...] = ()

    def backoff_s(self, attempts: int) -> float:
        full = min(self.backoff_base_s * self.backoff_factor ** min(attempts - 1, 30), self.backoff_cap_s)
        # Messages that failed together should not come back together.
        return full * random.uniform(0.5, 1.0)  # noqa: S311 no secret

    def allows_another(self, attempts: int, error: BaseException) -> bool:
        """May it be tried again after so many attempts, the last of which ended in this error?"""
        if self.retry_when is not None:
            return self.retry_when(attempts - 1, error)
        return attempts < self.max_attempts

    def changed_by(self, options: Mapping[str, Any]) -> Policy:
        """The same with what these options say otherwise, in our words or in dramatiq's."""
        found = {name: options[name] for name in OURS if name in options}
        if "max_retries" in options:
            retries = options["max_retries"]
            found["max_attempts"] = sys.maxsize if retries is None else retries + 1
        for ours, of_dramatiq in (("backoff_base_s", "min_backoff"), ("backoff_cap_s", "max_backoff")):
            if options.get(of_dramatiq) is not None:
                found[ours] = options[of_dramatiq] / 1000
        for name in ("retry_when", "throws"):
            if options.get(name):
                found[name] = options[name]
        return replace(self, **found) if found else self


DEFAULT = Policy()
"""12 attempts: waits of 1, 2, 4 ... 512, 600 seconds, some 25 minutes in all."""


def policy_for(
    message: Message[Any] | MessageProxy, actor: Actor[..., Any] | None, default: Policy = DEFAULT
) -> Policy:
    """The message's own options over those of its actor over the default."""
    policy = default.changed_by(actor.options) if actor else default
    # They come from outside: what is no number there says nothing.
    said = {
        name: value
        for name, value in message.options.items()
        if name in _OF_MESSAGES and isinstance(value, int | float)
    }
    return policy.changed_by(said)
