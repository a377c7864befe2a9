"""Traces over all processes (W3C Trace Context), sent by OpenTelemetry.

Off unless the extra `otel` is installed and an OTLP endpoint is set; then all here costs a comparison.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from workers import logs, redaction

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

Kind = Literal["server", "client", "consumer"]
_log = logs.get_logger("tracing")
# A collector that is away must not hold up the end of a process.
_EXPORT_S = 3.0
# W3C Trace Context, 3.2.2; a later version may add to it.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})(?P<trace_id>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]*)?"
)


class _Exporting:
    """The tracer of this process, while it has one."""

    tracer: Tracer | None = None


def is_on() -> bool:
    return _Exporting.tracer is not None


@contextmanager
def exported(process: str, endpoint: str | None) -> Iterator[None]:
    """Send the spans of this process to an OTLP/HTTP collector, for the length of a block."""
    provider = None if endpoint is None else _provider(process, endpoint)
    if provider is None:
        yield
        return
    _Exporting.tracer = provider.get_tracer("econeura")
    try:
        yield
    finally:
        _Exporting.tracer = None
        provider.shutdown()


@contextmanager
def span(
    name: str, kind: Kind, *, attributes: Mapping[str, str | int], parent: str | None = None
) -> Iterator[Span | None]:
    """A piece of work, below the one in hand or, where given, below `parent` (a traceparent).

    Yields None where tracing is off. Attributes are ids and names, never text of a mail or an address; what
    has the form of a secret or an address is taken out of them all the same, as it is of the logs.
    """
    if _Exporting.tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind

    with _Exporting.tracer.start_as_current_span(
        redaction.cleaned(name),
        context=_context_of(parent) if parent else None,
        kind=SpanKind[kind.upper()],
        attributes={about: _cleaned(value) for about, value in attributes.items()},
        record_exception=False,
    ) as begun:
        yield begun


def note(work: Span | None, attributes: Mapping[str, str | int]) -> None:
    """Say more of a piece of work."""
    if work is not None:
        for name, value in attributes.items():
            work.set_attribute(name, _cleaned(value))


def note_failure(work: Span | None, reason: str) -> None:
    """Say that a piece of work failed; the reason is a code or the name of an error, never its text."""
    if work is None:
        return
    from opentelemetry.trace import Status, StatusCode

    work.set_status(Status(StatusCode.ERROR, redaction.cleaned(reason)))


def traceparent() -> str | None:
    """The work in hand, as header or message option for its parts; None where tracing is off."""
    if _Exporting.tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def trace_id_of(parent: str | None) -> str | None:
    """The trace id of a traceparent, or None where it is not one."""
    found = _TRACEPARENT.fullmatch(parent) if parent else None
    return found["trace_id"] if found else None


def _cleaned(value: str | int) -> str | int:
    return redaction.cleaned(value) if isinstance(value, str) else value


def _context_of(parent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent})


def _provider(process: str, endpoint: str) -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("traces_not_sent", reason='the extra is missing: pip install "econeura-workers[otel]"')
        return None
    named = {"service.name": f"econeura-{process}"}
    provider = TracerProvider(resource=Resource.create(named))
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
