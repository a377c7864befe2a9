"""The wiring of a worker process: broker, actors and resources. Everything that runs in it is named here."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

import dramatiq
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware
from dramatiq.middleware.middleware import MiddlewareError

from actors import actions, broker, jobs, learning, mail, resources, webhooks
from workers import lifeline, logs, vitals
from workers.broker.event_loop import UvloopThread
from workers.broker.run import run_worker
from workers.errors import EconeuraError, SettingsError
from workers.organizations import Organizations, load_organizations
from workers.redis_clients import connect_sync
from workers.settings import Settings

ACTOR_MODULES = (mail, actions, learning, jobs, webhooks)
_log = logs.get_logger("worker")
_OPEN_S = 30.0


class LentResources(Middleware):
    """Opens what actors use in their event loop before the first message, and closes it after the last."""

    def __init__(self, settings: Settings, organizations: Organizations) -> None:
        self._settings = settings
        self._organizations = organizations

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        try:
            _in_event_loop(lambda: resources.open_resources(self._settings, self._organizations))
        except EconeuraError as failed:
            # Any other error would only be logged, and messages run without resources.
            raise MiddlewareError(str(failed)) from failed

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        # What SIGHUP changes is open now.
        lifeline.hear_hangups()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        # What outlasted the grace would fail without resources; cancelled, it is given back as it was.
        if isinstance(thread := get_event_loop_thread(), UvloopThread):
            thread.cancel_all()
        _in_event_loop(resources.close_resources)


def run(settings: Settings, *, worker_id: str) -> int:
    """Run actors until SIGTERM, then drain; returns the exit code (0 also when it ended to free memory)."""
    organizations = load_organizations(settings.organizations)
    broker.namespace, broker.partitions = settings.namespace, settings.partitions
    broker.connect(connect_sync(settings), worker_id=worker_id)
    broker.add_middleware(LentResources(settings, organizations))
    stop = threading.Event()
    _on(signal.SIGTERM, stop.set)
    _on(signal.SIGINT, stop.set)
    _on(signal.SIGHUP, lambda: _reload(settings))
    with vitals.reported("worker"):
        run_worker(
            broker,
            stop,
            threads=settings.worker_threads,
            grace_s=settings.shutdown_grace_s,
            memory_limit_mb=settings.worker_memory_limit_mb,
        )
    return 0


def _reload(settings: Settings) -> None:
    """Read the organizations file again; a bad one changes nothing and says why."""
    try:
        organizations = load_organizations(settings.organizations)
    except SettingsError as wrong:
        _log.error("settings_not_reloaded", reason=str(wrong))
        return
    _in_event_loop(lambda: resources.reload(organizations))
    _log.info("settings_reloaded", organizations=len(organizations))


def _in_event_loop(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    thread = get_event_loop_thread()
    if thread is None:
        raise MiddlewareError("the event loop of the actors is not running")
    asyncio.run_coroutine_threadsafe(start(), thread.loop).result(timeout=_OPEN_S)


def _on(number: signal.Signals, action: Callable[[], object]) -> None:
    def handle(_: int, __: FrameType | None) -> None:
        action()

    signal.signal(number, handle)
