"""Faults on request: which calls go wrong, how often, and how."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

from workers.sandbox.calls import Call, GraphProblem
from workers.sandbox.delta import sync_state_not_found

KINDS = ("status", "slow", "reset_before", "reset_after", "truncate")
_CODES = {
    400: "ErrorInvalidRequest",
    401: "InvalidAuthenticationToken",
    403: "ErrorAccessDenied",
    404: "ErrorItemNotFound",
    409: "ErrorIrresolvableConflict",
    410: "SyncStateNotFound",
    412: "ErrorIrresolvableConflict",
    429: "ApplicationThrottled",
    500: "ErrorInternalServerError",
    502: "UnknownError",
    503: "serviceNotAvailable",
    504: "UnknownError",
    509: "activityLimitReached",
}
_FIELDS = {
    "kind", "method", "endpoint", "path", "mailbox", "share", "count", "skip", "status", "retry_after_s",
    "delay_ms", "after_effect",
}  # fmt: skip
_NUMBERS = {"share", "count", "skip", "status", "retry_after_s", "delay_ms"}


@dataclass(slots=True)
class Fault:
    """A rule: which calls it hits and what it does to them.

    It hits calls that match all of method, endpoint template, path (a regular expression on path and query as
    sent) and mailbox, with probability `share`, after `skip` matches, `count` times (None: for ever).
    `after_effect` lets the call do its work before `status` is answered.
    """

    number: int
    kind: str
    method: str | None = None
    endpoint: str | None = None
    path: str | None = None
    mailbox: str | None = None
    share: float = 1.0
    count: int | None = None
    skip: int = 0
    status: int = 503
    retry_after_s: float | None = None
    delay_ms: float = 0.0
    after_effect: bool = False
    hits: int = 0

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.status}" if self.kind == "status" else self.kind

    def matches(self, method: str, endpoint: str, target: str, mailbox: str | None) -> bool:
        return (
            self.count != 0
            and self.method in (None, method)
            and self.endpoint in (None, endpoint)
            and self.mailbox in (None, mailbox)
            and (self.path is None or re.search(self.path, target) is not None)
        )

    def problem(self, call: Call) -> GraphProblem:
        """The error answered by a `status` fault."""
        if self.status == 410:
            return sync_state_not_found(call)
        headers = {} if self.retry_after_s is None else {"Retry-After": f"{self.retry_after_s:g}"}
        code = _CODES.get(self.status, "UnknownError")
        return GraphProblem(self.status, code, "The sandbox was asked to answer so.", headers)


class ConnectionLost(Exception):
    """The connection is to be cut without an answer."""


class Faults:
    """The rules in force; the same seed and the same calls give the same faults."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._numbers = 0
        self.rules: list[Fault] = []

    def add(self, description: dict[str, Any]) -> Fault:
        """Add a rule from its JSON; ValueError or TypeError says what is wrong."""
        if unknown := set(description) - _FIELDS:
            raise ValueError(
                f"unknown fields: {', '.join(sorted(unknown))}; known: {', '.join(sorted(_FIELDS))}"
            )
        if description.get("kind") not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        for name in _NUMBERS & set(description):
            if not isinstance(description[name], (int, float)):
                raise TypeError(f"{name} must be a number")
        self._numbers += 1
        fault = Fault(number=self._numbers, **description)
        self.rules.append(fault)
        return fault

    def remove(self, number: int | None) -> None:
        """Remove one rule, or all."""
        self.rules = [] if number is None else [rule for rule in self.rules if rule.number != number]

    def pick(self, method: str, endpoint: str, target: str, mailbox: str | None) -> Fault | None:
        """The rule that hits this call, if any."""
        for rule in self.rules:
            if not rule.matches(method, endpoint, target, mailbox) or self._random.random() >= rule.share:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.count is not None:
                rule.count -= 1
            rule.hits += 1
            return rule
        return None
