"""Ties the intake to the life of dramatiq's worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dramatiq import Broker as DramatiqBroker
from dramatiq import MessageProxy, Middleware, Worker
from dramatiq.middleware.middleware import MiddlewareError

from workers.broker.delivery import Delivery
from workers.broker.work_queue import WorkQueue
from workers.errors import QueueUnavailable

if TYPE_CHECKING:
    from workers.broker.broker import Broker


class Lifecycle(Middleware):
    """First in the list: the intake opens before and closes after everything else."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._line: WorkQueue | None = None

    def before_worker_boot(self, broker: DramatiqBroker, worker: Worker) -> None:
        try:
            self._line = self._broker.open_intake(worker.worker_threads).line
        except QueueUnavailable as problem:
            # Any other error would only be logged, and the worker would run on without messages.
            raise MiddlewareError(str(problem)) from problem
        # It has all that dramatiq uses of a queue.
        worker.work_queue = self._line  # type: ignore[assignment]

    def after_process_message(
        self,
        broker: DramatiqBroker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        if self._line is not None and isinstance(message, Delivery):
            self._line.note_run(time.monotonic() - message.started_at)

    def before_worker_shutdown(self, broker: DramatiqBroker, worker: Worker) -> None:
        self._broker.intake.drain()
        # dramatiq tells its threads to stop after this, but those that wait would not hear of it.
        for thread in worker.workers:
            thread.stop()
        self._broker.intake.line.close()

    def after_worker_shutdown(self, broker: DramatiqBroker, worker: Worker) -> None:
        self._broker.close_intake()
