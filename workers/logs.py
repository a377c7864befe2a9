"""Structured logs: one line an event, with the correlation id that follows a message from end to end."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, cast

import orjson
import structlog

from workers import ids, redaction

_context: ContextVar[dict[str, str] | None] = ContextVar("econeura_log_context", default=None)
Level = Literal["debug", "info", "warning", "error"]


def configure(process: str, *, level: Level = "info", form: Literal["auto", "json", "text"] = "auto") -> None:
    """Send all logs of this process to standard error: JSON lines, or text where that is a terminal."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_context(process),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if text
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, redaction.redact, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard module: the same form, warnings only.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redaction.redact,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose events carry the component's name."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger(component=name))


@contextmanager
def bound(
    *,
    correlation_id: str | None = None,
    organization_id: str | None = None,
    message_id: str | None = None,
) -> Iterator[None]:
    """Add these ids to every event logged inside, also by coroutines started there."""
    given = {
        "correlationId": correlation_id,
        "organizationId": organization_id,
        "messageId": message_id,
    }
    merged = {**(_context.get() or {}), **{name: value for name, value in given.items() if value}}
    reset = _context.set(merged)
    try:
        yield
    finally:
        _context.reset(reset)


def begin(correlation_id: str) -> None:
    """Add this id to every event that the running task logs from here on."""
    _context.set({**(_context.get() or {}), "correlationId": correlation_id})


def correlation_id() -> str:
    """The correlation id of the work in hand, or a new one where there is none."""
    return (_context.get() or {}).get("correlationId") or new_correlation_id()


def new_correlation_id() -> str:
    return ids.new_id()


def _add_context(process: str) -> structlog.typing.Processor:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        for name, value in (_context.get() or {}).items():
            event.setdefault(name, value)
        return event

    return add


def _to_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
