"""Say what mail means, without any service: JSON lines out, one for each message.

Each FILE is a raw message (.eml). On '-' come JSON lines {"id", "subject", "body"} and optionally
{"from", "to", "body_type": "text" or "html", "headers": {}}.

A line out: {"id", "category", "confidence", "abstained", "urgency", "sentiment", "language", "is_auto_reply",
"entities": [{"type", "text", "value", "start", "end"}], "evidence", "ms"}.
Categories: finance, calendar, support, sales, newsletter, spam, personal, general.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help=".eml files, or - for JSON lines on standard input"
    )


def run(arguments: argparse.Namespace) -> int:
    """Analyse; returns 1 if an input could not be read."""
    from workers.analysis import stream

    return stream.run(arguments.files)
