"""Measure the analysis on mail that it did not learn from: how right it is, and how fast.

Without --data the mails of the package are judged: its corpus by cross-validation (needs the extra `train`),
and those set apart, which nothing was learned from. Exit code 1 when a figure falls behind the baseline in
the package by more than its tolerance.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder with mail/, entities/ and eml/")
    parser.add_argument(
        "--leave-out",
        action="store_true",
        help="train once without each source of --data that the model learns from, and judge that source",
    )
    parser.add_argument("--no-speed", action="store_true", help="measure no times")
    parser.add_argument("--accept", action="store_true", help="make the figures the new baseline")


def run(arguments: argparse.Namespace) -> int:
    """Print the tables; returns 1 if something got worse."""
    from workers.errors import SettingsError

    if arguments.data is not None and not arguments.data.is_dir():
        raise SettingsError(f"--data: there is no folder {arguments.data}")
    from workers.analysis.evaluation.baseline import fallen_behind, write_baseline
    from workers.analysis.evaluation.run import sections

    figures: dict[str, float] = {}
    try:
        for section in sections(arguments.data, leave_out=arguments.leave_out, speed=not arguments.no_speed):
            print(f"\n## {section.title}", *section.lines, sep="\n", flush=True)
            figures |= section.figures
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"{missing.name} is missing: install the extra, pip install econeura-workers[train]"
        ) from None
    print("\n## Figures")
    for name, value in figures.items():
        print(f"  {name:45} {value:.3f}")
    if arguments.accept:
        write_baseline(figures)
        return 0
    complaints = fallen_behind(figures)
    if complaints:
        print("\n## Worse than the baseline", *complaints, sep="\n  ")
    return 1 if complaints else 0
