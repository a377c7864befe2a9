"""Ties the intake to the life of dramatiq's worker, and guards the start of each message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dramatiq import Broker as DramatiqBroker
from dramatiq import Message, MessageProxy, Middleware, Worker

from workers.broker.delivery import Delivery
from workers.broker.encoding import QUEUE

if TYPE_CHECKING:
    from workers.broker.broker import Broker


class Lifecycle(Middleware):
    """First in the list: the intake opens before and closes after everything else."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def before_worker_boot(self, broker: DramatiqBroker, worker: Worker) -> None:
        self._broker.open_intake(worker.worker_threads)

    def before_process_message(self, broker: DramatiqBroker, message: MessageProxy) -> None:
        if not isinstance(message, Delivery):
            return
        if not message.claim():
            message.outcome = "withdrawn"
            message.fail()
        elif message.lease != message.hand.lease or not message.hand.is_valid:
            # Another worker may have it by now; if not, Redis takes it back.
            message.outcome = "given_back"
            message.fail()

    def before_worker_shutdown(self, broker: DramatiqBroker, worker: Worker) -> None:
        self._broker.intake.drain()
        # Idle threads wait for as long as `worker_timeout`: stop them here, then give each a nudge.
        for thread in worker.workers:
            thread.stop()
        for _ in worker.workers:
            worker.work_queue.put(_Nudge())  # type: ignore[arg-type]

    def after_worker_shutdown(self, broker: DramatiqBroker, worker: Worker) -> None:
        self._broker.close_intake()


class _Nudge:
    """Wakes a thread that waits for work: a message that is over before it began."""

    def __init__(self) -> None:
        self.message = MessageProxy(_NOTHING)
        self.message.fail()

    def __lt__(self, other: Any) -> bool:
        return True

    def __gt__(self, other: Any) -> bool:
        return False


_NOTHING: Message[Any] = Message(queue_name=QUEUE, actor_name="nudge", args=(), kwargs={}, options={})
