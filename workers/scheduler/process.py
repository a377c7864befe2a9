"""The body of a scheduler process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from uuid import uuid4

from workers import lifeline, logs, metrics, vitals
from workers.errors import SettingsError
from workers.organizations import load_organizations
from workers.redis_clients import connect
from workers.scheduler.loop import Scheduler
from workers.settings import Settings
from workers.store import Store

_log = logs.get_logger("scheduler")


def run(settings: Settings) -> None:
    """Schedule until SIGTERM or SIGINT; SIGHUP reads the organizations file again. Raises SettingsError."""
    with vitals.reported("scheduler"):
        asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    organizations = load_organizations(settings.organizations)
    client = connect(settings, max_connections=8)
    stop = asyncio.Event()
    try:
        scheduler = Scheduler(Store.over(client, settings), settings, _new_id())
        scheduler.define(organizations.scheduled_jobs.values())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, _reload, scheduler, settings)
        lifeline.hear_hangups()
        await scheduler.run(stop)
    finally:
        await client.aclose()


def _reload(scheduler: Scheduler, settings: Settings) -> None:
    try:
        organizations = load_organizations(settings.organizations)
    except SettingsError as wrong:
        # The old table stays in force: a slip of the pen must not stop the schedule.
        metrics.ERRORS.labels(wrong.code, "scheduler", "error").inc()
        _log.error("settings_not_reloaded", error=str(wrong))
        return
    scheduler.define(organizations.scheduled_jobs.values())
    _log.info("settings_reloaded")


def _new_id() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
