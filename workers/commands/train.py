"""Train the model that the analysis ships, from the corpus in the package and, if given, other labelled mail.

Needs the extra `train`. Rows of --data are used only where their licence allows it; the same input and code
give the same model.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder with mail/dev.jsonl.gz")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="an existing folder that takes the model's files",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train and write; returns 0."""
    from workers.errors import SettingsError

    for name, path in (("--data", arguments.data), ("--output", arguments.output)):
        if path is not None and not path.is_dir():
            raise SettingsError(f"{name}: there is no folder {path}")
    try:
        from workers.analysis.train import train
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"{missing.name} is missing: install the extra, pip install econeura-workers[train]"
        ) from None
    trained = train(arguments.data, arguments.output)
    print(f"{trained.examples} mails; the model is in {arguments.output}")
    return 0
