"""Run the worker process(es) that handle the mail: ECONEURA_WORKER_PROCESSES of them, restarted if they die.

Start it on as many hosts as you like, all with the same REDIS_URL. With ECONEURA_METRICS_PORT it shows the
metrics of its host there.
"""

from __future__ import annotations

import argparse
import asyncio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--worker-id",
        metavar="ID",
        help="run this process alone, under this id (given by the supervisor, which reports its death)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Work until SIGTERM; running actors finish first. Returns 0 if everything ended well."""
    from workers.service_process import begun
    from workers.settings import load_settings

    is_first = arguments.worker_id is None
    several = is_first and load_settings().worker_processes > 1
    with begun("supervisor" if several else "worker", shows_metrics=is_first) as settings:
        from workers.supervisor import Supervisor, new_life_id

        if several:
            from workers import programs

            return asyncio.run(Supervisor(programs.workers(settings)).run())
        from actors import worker

        return worker.run(settings, worker_id=arguments.worker_id or new_life_id())
