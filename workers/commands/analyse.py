"""Say what mail means, without any service: JSON lines out, one for each message, in the order of the input.

Each FILE is a raw message (.eml). On '-' come JSON lines {"id", "subject", "body"} and optionally
{"from", "to", "body_type": "text" or "html", "headers": {}}.

A line out: {"id", "category", "confidence", "abstained", "urgency", "sentiment", "language", "is_auto_reply",
"entities": [{"type", "text", "value", "start", "end"}], "evidence", "ms"}.
Categories: finance, calendar, support, sales, newsletter, spam, personal, general.
Input that cannot be read gives {"id", "error"} in its place, and exit code 1 at the end.
"""

from __future__ import annotations

import argparse
import os
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        default=["-"],
        metavar="FILE",
        help=".eml files, or - for JSON lines (the default)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write one line for each message as soon as it is analysed; returns 1 if an input could not be read."""
    from workers.analysis import read_model
    from workers.analysis.stream import analyse_stream

    read_model()
    unreadable = 0
    try:
        for line in analyse_stream(arguments.files, sys.stdin.buffer):
            unreadable += b',"error":' in line
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Who reads has enough (`| head`); nothing is left to write when Python closes its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if unreadable else 0
