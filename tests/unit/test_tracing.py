"""A caller's trace is taken over where it is well-formed; without a collector there is none of ours."""

from __future__ import annotations

import pytest

from api.traced import correlation_id_of
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
