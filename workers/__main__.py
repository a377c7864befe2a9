"""The command line: `econeura COMMAND`, also as `python -m workers COMMAND`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from workers import __version__
from workers.commands import COMMANDS
from workers.errors import EconeuraError, SettingsError

_DESCRIPTION = "Mail of Microsoft 365 mailboxes understood and acted on, by your own rules, exactly once."
_EPILOG = """\
Settings come from the environment (README lists them). A first look, with nothing configured:

  econeura demo

Then name your organizations in a TOML file and run:

  ECONEURA_ORGANIZATIONS=organizations.toml econeura check
  ECONEURA_ORGANIZATIONS=organizations.toml econeura up

'econeura COMMAND --help' tells more about a command.
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=16)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 2 for a mistake in settings or arguments."""
    arguments = _parse(list(sys.argv[1:] if words is None else words))
    command = import_module(f"workers.commands.{arguments.command}")
    try:
        return int(command.run(arguments))
    except SettingsError as mistake:
        print(f"econeura: {mistake}", file=sys.stderr)
        return 2
    except EconeuraError as problem:
        print(f"econeura: {problem} [{problem.code}]", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "econeura",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"econeura {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        # Only the command that is asked for is loaded.
        if words[:1] == [name]:
            module = import_module(f"workers.commands.{name}")
            command.description = module.__doc__
            module.add_arguments(command)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
