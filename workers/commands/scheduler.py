"""Run the scheduler of the periodic jobs. Any number may run: each fire time is published once."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: settings say it all."""


def run(arguments: argparse.Namespace) -> int:
    """Schedule until SIGTERM."""
    from workers.service_process import begun

    with begun("scheduler", shows_metrics=True) as settings:
        from workers import scheduler

        scheduler.run(settings)
    return 0
