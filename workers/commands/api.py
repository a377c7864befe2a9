"""Run the HTTP server: webhooks, API, metrics and docs, at HOST and PORT."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: settings say it all."""


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM; open requests are answered first."""
    from workers.service_process import begun

    with begun("api") as settings:
        from api import app as server

        server.run(settings)
    return 0
