"""Run the whole service: api, workers and scheduler under one supervisor that restarts what dies.

Without REDIS_URL (or REDIS_HOST) a private Redis is started in ECONEURA_DATA_DIR; its data stays there.
SIGTERM or Ctrl-C finish what is running, then stop it all in order. SIGHUP reads the settings files again.
"""

from __future__ import annotations

import argparse
import asyncio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: settings say it all."""


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM; returns 0 if everything ended well."""
    from workers import metrics_directory, ports
    from workers.organizations import load_organizations
    from workers.service_process import name_process
    from workers.settings import load_settings

    settings = load_settings()
    name_process("supervisor", settings)
    load_organizations(settings.organizations)
    ports.require_free(settings.host, settings.port)
    with metrics_directory.claimed(settings.metrics_dir):
        from workers import programs
        from workers.supervisor import Supervisor

        with programs.whole_service(settings) as (_, all_programs):
            return asyncio.run(Supervisor(all_programs).run())
