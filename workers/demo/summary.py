"""What the demo says at the end: how it went, and where to look next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from urllib.parse import quote

from workers.demo.organization import ORGANIZATION_ID
from workers.demo.rows import Row

_LISTED = 20


def summary(rows: Collection[Row], unaccounted: Collection[str], *, took_s: float) -> str:
    """Counts by outcome and category, times, and the messages that did not end well."""
    times_ms = sorted(row.ms for row in rows) or [0]
    lines = [
        "",
        f"{len(rows)} messages in {took_s:.1f} s. Each took {times_ms[len(times_ms) // 2]} ms (median), "
        f"at most {times_ms[-1]} ms.",
        f"  outcome   {_counts(row.state for row in rows)}",
        f"  category  {_counts(row.category for row in rows)}",
        f"  done      {_counts(kind for row in rows if row.state == 'done' for kind in row.kinds)}",
    ]
    lines += [
        f"  DEAD      {row.message_id}  {row.subject}: {row.done}" for row in rows if row.state == "dead"
    ]
    lines += [f"  NOT ENDED {message_id}" for message_id in sorted(unaccounted)[:_LISTED]]
    if len(unaccounted) > _LISTED:
        lines.append(f"  NOT ENDED … and {len(unaccounted) - _LISTED} more")
    return "\n".join(lines)


def where_to_look(base_url: str, row: Row | None, *, run_file: str) -> str:
    """The addresses of the demo and three calls to try, about one of its messages."""
    message_id = row.message_id if row else "MESSAGE_ID"
    trace = f"{base_url}/emails/{quote(message_id, safe='')}?organizationId={ORGANIZATION_ID}"
    body = f'{{"messageId": "{message_id}", "organizationId": "{ORGANIZATION_ID}"}}'
    return "\n".join(
        (
            "",
            f"API: {base_url}  documentation: {base_url}/docs  metrics: {base_url}/metrics",
            f"The mailbox (addresses and secrets of its admin routes): {run_file}",
            "Try:",
            f"  curl -s {base_url}/health",
            f"  curl -s '{trace}'",
            f"  curl -s {base_url}/emails/process -H 'Content-Type: application/json' -H 'Prefer: wait=10' "
            f"-d '{body}'",
        )
    )


def _counts(values: Iterable[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in Counter(values).most_common()) or "none"
