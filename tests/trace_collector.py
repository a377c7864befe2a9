"""A collector of traces (OTLP over HTTP) on loopback, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.loopback_server import serving


@dataclass(frozen=True)
class Collected:
    """A span as it was exported; ids in hexadecimal, `parent` "" for none."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent: str
    failed: bool
    status: str
    attributes: dict[str, Any]


class Collector:
    """All spans that arrived."""

    def __init__(self) -> None:
        self.spans: list[Collected] = []
        self.url = ""

    def of(self, trace_id: str, name: str = "") -> list[Collected]:
        """The spans of a trace, and of a name where given, in the order of their export."""
        return [span for span in self.spans if span.trace_id == trace_id and name in ("", span.name)]

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _plain(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [
                    Collected(
                        service,
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.status.code == span.status.STATUS_CODE_ERROR,
                        span.status.message,
                        _plain(span.attributes),
                    )
                    for span in scope.spans
                ]


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector for the length of a block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing on the test's output."""

    with serving(Handler) as collector.url:
        yield collector
