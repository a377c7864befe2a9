"""Ties the intake to the life of dramatiq's worker, and guards the start of each message."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dramatiq import Broker as DramatiqBroker
from dramatiq import MessageProxy, Middleware, Worker

from workers.broker.delivery import Delivery
from workers.broker.work_queue import WorkQueue

if TYPE_CHECKING:
    from workers.broker.broker import Broker


class Lifecycle(Middleware):
    """First in the list: the intake opens before and closes after everything else."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._line = WorkQueue(0)

    def before_worker_boot(self, broker: DramatiqBroker, worker: Worker) -> None:
        self._line = WorkQueue(worker.worker_threads)
        # It has all that dramatiq uses of a queue.
        worker.work_queue = self._line  # type: ignore[assignment]
        self._broker.open_intake(worker.worker_threads, self._line)

    def before_process_message(self, broker: DramatiqBroker, message: MessageProxy) -> None:
        if not isinstance(message, Delivery):
            return
        message.started_at = time.monotonic()
        if message.lease != message.hand.lease or message.started_at > message.hand.valid_until:
            # Another worker may have it by now; if not, Redis takes it back.
            message.outcome = "given_back"
            message.fail()

    def after_process_message(
        self,
        broker: DramatiqBroker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        if isinstance(message, Delivery):
            self._line.note_run(time.monotonic() - message.started_at)

    def before_worker_shutdown(self, broker: DramatiqBroker, worker: Worker) -> None:
        self._broker.intake.drain()
        # dramatiq tells its threads to stop after this, but those that wait would not hear of it.
        for thread in worker.workers:
            thread.stop()
        self._line.close()

    def after_worker_shutdown(self, broker: DramatiqBroker, worker: Worker) -> None:
        self._broker.close_intake()
