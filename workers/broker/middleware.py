"""Everything of ours that sees each message, in one list, and what of dramatiq's own it stands in for.

dramatiq's Retries and Pipelines would enqueue and then acknowledge: two steps, and a message lost or doubled
between them. AgeLimit, TimeLimit, Callbacks and the rest are not used by us, and each costs some calls a
message: whoever wants them adds them.
"""

from __future__ import annotations

import sys

from dramatiq import Middleware
from dramatiq import middleware as stock

from workers.broker.event_loop import EventLoop
from workers.broker.pipelines import Pipelines
from workers.broker.policy import Policy
from workers.broker.retries import Retries
from workers.broker.telemetry import Telemetry


def default_middleware() -> list[Middleware]:
    """In this order before a message, in reverse after it: telemetry sees the outcome of retries."""
    return [EventLoop(), Telemetry(), Retries(), Pipelines()]


def ours_for(middleware: Middleware) -> Middleware:
    """The middleware itself, or ours in place of one of dramatiq's that would lose messages here."""
    if type(middleware) is stock.AsyncIO:
        return EventLoop()
    if type(middleware) is stock.Pipelines:
        return Pipelines()
    if type(middleware) is stock.Retries:
        return Retries(_policy_of(middleware))
    return middleware


def _policy_of(retries: stock.Retries) -> Policy:
    most = retries.max_retries
    return Policy(
        max_attempts=sys.maxsize if most is None else most + 1,
        backoff_base_s=retries.min_backoff / 1000,
        backoff_cap_s=retries.max_backoff / 1000,
        retry_when=retries.retry_when,
    )
