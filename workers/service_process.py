"""How every process of the service begins: settings, logs, title, metrics directory, Redis."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager

from setproctitle import setproctitle

from workers import logs, metrics_directory, redis_server
from workers.settings import Settings, load_settings


@contextmanager
def begun(name: str) -> Iterator[Settings]:
    """Settings, with the Redis to use, for the life of a process of this name; raises SettingsError."""
    settings = load_settings()
    name_process(name, settings)
    with metrics_directory.claimed(settings.metrics_dir), redis_server.available(settings) as ready:
        yield ready


def name_process(name: str, settings: Settings) -> None:
    """Show the name in `ps` and in the logs."""
    faulthandler.enable()
    setproctitle(f"econeura: {name}")
    logs.configure(name, level=settings.log_level, form=settings.log_format)
