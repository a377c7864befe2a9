"""How every process of the service begins: settings, logs, title, metrics directory, Redis."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from setproctitle import setproctitle

from workers import logs, metrics_directory, redis_server, tracing
from workers.settings import Settings, load_settings


@contextmanager
def begun(name: str, *, shows_metrics: bool = False) -> Iterator[Settings]:
    """Settings, with the Redis to use, for the life of a process of this name; raises SettingsError.

    One that `shows_metrics` serves those of this host at ECONEURA_METRICS_PORT, where that is set.
    """
    settings = load_settings()
    name_process(name, settings)
    with ExitStack() as stack:
        stack.enter_context(metrics_directory.claimed(settings.metrics_dir))
        ready = stack.enter_context(redis_server.available(settings))
        # Not before: it takes Redis and, through metrics, the metrics directory.
        from workers import schema_check

        stack.enter_context(schema_check.agreed(ready))
        if shows_metrics and settings.metrics_port is not None:
            # Only now: it imports prometheus_client, and that chooses where it writes.
            from workers import metrics_server

            stack.enter_context(metrics_server.serving(settings.host, settings.metrics_port))
        if name != "supervisor":
            stack.enter_context(tracing.exported(name, settings.otlp_endpoint))
        yield ready


def name_process(name: str, settings: Settings) -> None:
    """Show the name in `ps` and in the logs."""
    faulthandler.enable()
    setproctitle(f"econeura: {name}")
    logs.configure(name, level=settings.log_level, form=settings.log_format)
