"""A caller's trace is taken over where it is well-formed; without a collector there is none of ours."""

from __future__ import annotations

import pytest

from api.traced import correlation_id_of
from tests.trace_collector import collecting
from workers import tracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "given", [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f"01-{TRACE}-{SPAN}-01-more"]
)
def test_the_trace_id_is_the_correlation_id(given: str) -> None:
    assert tracing.trace_id_of(given) == TRACE
    assert correlation_id_of({"traceparent": given}) == TRACE
    assert correlation_id_of({"traceparent": given, "X-Correlation-ID": "mine"}) == "mine"


@pytest.mark.parametrize(
    "given",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\nx",
        f"00_{TRACE}_{SPAN}_01",
        "00-" + "g" * 32 + f"-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_is_not_taken_over(given: str) -> None:
    assert tracing.trace_id_of(given) is None
    assert correlation_id_of({"traceparent": given}) not in ("", given)


def test_without_a_collector_there_are_no_spans() -> None:
    with tracing.exported("test", None), tracing.span("work", "server", attributes={}) as work:
        assert work is None and tracing.traceparent() is None and not tracing.is_on()
        tracing.note_failure(work, "nothing")


def test_no_span_tells_a_secret_or_a_whole_address() -> None:
    key = "econeura_0123456789ab_h58_L6hmJ05b9ZChzid19WiZ7fiCWkuGychtGu6e73A"
    token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJncmFwaCJ9.c2lnbmF0dXJl"
    told = f"GET /users/ana.ruiz@cliente.example?client_secret=hunter22 Bearer {token} {key}"
    with collecting() as collector:
        with (
            tracing.exported("test", collector.url),
            tracing.span(told, "server", attributes={"url.path": told, "count": 3}) as work,
        ):
            tracing.note(work, {"more": told})
            tracing.note_failure(work, told)
        (span,) = collector.spans
    assert span.attributes["count"] == 3 and span.failed and span.status
    for text in (span.name, span.attributes["url.path"], span.attributes["more"], span.status):
        assert text.startswith("GET /***@cliente.example?")
        for secret in ("ana.ruiz", "hunter22", "c2lnbmF0dXJl", "h58_L6hm"):
            assert secret not in text
