"""The processes of the service, as programs for the supervisor."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import redis

from workers import lifeline, logs, ownership, redis_clients
from workers.broker import leases
from workers.errors import EconeuraError
from workers.redis_server import PrivateRedis
from workers.settings import Settings, set_process_environment
from workers.supervisor import Program

_log = logs.get_logger("supervisor")
_DECLARE_S = 2.0
# A process ends itself when its grace is over; this much later it is taken to hang.
_MARGIN_S = 5.0
_REDIS_DRAIN_S = 20.0


@contextmanager
def whole_service(
    settings: Settings, *, output: IO[bytes] | None = None
) -> Iterator[tuple[Settings, list[Program]]]:
    """Settings with the Redis to use, and all programs in the order in which they are to be stopped.

    Raises SettingsError where the data directory is in use or no Redis can be had.
    """
    with ownership.take(settings.data_dir / "up.lock"):
        if settings.redis_url or settings.redis_host:
            yield settings, _ours(settings, output)
            return
        with PrivateRedis(settings.data_dir) as server:
            # What the processes below inherit: one that is started again must not look for a server itself.
            set_process_environment(REDIS_URL=server.url)
            ready = settings.model_copy(update={"redis_url": server.url})
            yield ready, [*_ours(ready, output), _private_redis(server)]


def workers(settings: Settings, *, output: IO[bytes] | None = None) -> list[Program]:
    """ECONEURA_WORKER_PROCESSES workers; the death of one gives its work to the others at once."""
    died = _declarer_of_deaths(settings)
    worker = Program(
        "worker",
        lambda life: _start("worker", "--worker-id", life, output=output),
        drain_s=settings.shutdown_grace_s + _MARGIN_S,
        died=died,
    )
    return [worker] * settings.worker_processes


def _ours(settings: Settings, output: IO[bytes] | None) -> list[Program]:
    drain_s = settings.shutdown_grace_s + _MARGIN_S
    # First nothing new comes in; callers that wait for a result still get it, as the workers run on.
    # They share the port: the kernel hands each connection to one of them.
    api = Program("api", lambda _: _start("api", output=output), drain_s)
    scheduler = Program("scheduler", lambda _: _start("scheduler", output=output), drain_s)
    return [*[api] * settings.api_processes, scheduler, *workers(settings, output=output)]


def _private_redis(server: PrivateRedis) -> Program:
    running = iter([server.process])

    def start(_: str) -> subprocess.Popen[bytes]:
        return next(running, None) or server.launch()

    return Program("redis", start, _REDIS_DRAIN_S, is_ours=False)


def _start(*words: str, output: IO[bytes] | None) -> subprocess.Popen[bytes]:
    # -P: a directory named api or workers where we are started must not be taken for ours.
    return lifeline.start([sys.executable, "-P", "-m", "workers", *words], output=output)


def _declarer_of_deaths(settings: Settings) -> Callable[[str], None]:
    client = redis_clients.connect_sync(settings, timeout_s=_DECLARE_S)

    def declare_dead(worker_id: str) -> None:
        try:
            leases.declare_dead(client, settings.namespace, worker_id, partitions=settings.partitions)
        except (EconeuraError, redis.RedisError) as problem:
            # The worker's leases run out by themselves, only later.
            _log.warning("death_not_declared", worker=worker_id, error=str(problem))

    return declare_dead
