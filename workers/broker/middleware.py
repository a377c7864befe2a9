"""Everything of ours that sees each message, in one list. dramatiq's own defaults are not among them.

Its Retries would enqueue and then acknowledge (two steps, and a message lost between them); AgeLimit,
TimeLimit, Callbacks and Pipelines are not used, and each costs four calls a message.
"""

from __future__ import annotations

from dramatiq import Middleware

from workers.broker.event_loop import EventLoop
from workers.broker.retries import Retries
from workers.broker.telemetry import Telemetry


def default_middleware() -> list[Middleware]:
    """In this order before a message, in reverse after it: telemetry sees the outcome of retries."""
    return [EventLoop(), Telemetry(), Retries()]
