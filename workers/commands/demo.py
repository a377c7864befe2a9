"""Watch the whole service handle a mailbox: api, workers, scheduler and a private Redis, against a small
Microsoft Graph of its own on this machine. Nothing is sent anywhere.

Each message is shown as it ends, then a summary and what to try next. Data are kept in ECONEURA_DATA_DIR if
that is set, else thrown away at the end.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import ExitStack
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mail",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="your own mail instead of the samples: an .eml or mbox file, a folder of them; may be repeated",
    )
    parser.add_argument(
        "--once", action="store_true", help="end when every message has ended; exit code 0 if all ended well"
    )
    parser.add_argument(
        "--chaos", action="store_true", help="let Graph throttle, fail, repeat and lose things"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="port of the API (default: PORT or 3001; 0: any)"
    )
    parser.add_argument(
        "--latency-ms", type=float, default=0.0, metavar="N", help="time that each Graph call takes"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; returns 0 if every message came to a good end."""
    from workers.demo.place import place_of_demo
    from workers.errors import SettingsError

    for path in arguments.mail:
        if not path.exists():
            raise SettingsError(f"--mail: there is nothing at {path}")
    with place_of_demo(arguments.port) as place, ExitStack() as stack:
        # First of all: it starts while we load what the rest needs.
        from workers.demo.sandbox_process import sandbox_process

        sandbox = stack.enter_context(
            sandbox_process(
                place.settings.data_dir,
                mail=arguments.mail,
                latency_ms=arguments.latency_ms,
                chaos=arguments.chaos,
                output=place.log,
            )
        )
        from workers import metrics_directory
        from workers.service_process import name_process

        name_process("supervisor", place.settings)
        stack.enter_context(metrics_directory.claimed(place.settings.metrics_dir))
        from workers import programs
        from workers.demo.namespace import emptied
        from workers.demo.screen import screen_for_stdout
        from workers.demo.show import Show

        settings, all_programs = stack.enter_context(programs.whole_service(place.settings, output=place.log))
        is_shared = settings.redis_url == place.settings.redis_url
        stack.enter_context(emptied(settings, also_at_end=is_shared))
        screen = stack.enter_context(screen_for_stdout())
        show = Show(place, settings, screen, once=arguments.once)
        place.succeeded = asyncio.run(show.run(sandbox, all_programs))
    return 0 if place.succeeded else 1
