"""The moments at which threads hand in outcomes while the consumer thread is about to sleep."""

from __future__ import annotations

from functools import partial

import dramatiq

from workers.broker import Broker
from workers.broker.delivery import Delivery
from workers.broker.hand import Hand
from workers.broker.intake import Intake
from workers.broker.sorting import knows, sort
from workers.broker.work_queue import WorkQueue


class LateLine(WorkQueue):
    """A thread ends just after the consumer thread has looked for what ended, and before it sleeps."""

    intake: Intake
    late: Delivery | None = None

    def rouse(self) -> None:
        if self.late is not None:
            delivery, self.late = self.late, None
            delivery.outcome = "done"
            self.intake.settle(delivery)


def test_an_outcome_that_comes_in_before_sleep_is_not_slept_over(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    intake = Intake(
        [Hand(broker.keys[0], broker.client, "worker")], 2, partial(sort, partial(knows, broker.actors))
    )
    intake.line = line = LateLine(2, intake.settle)
    line.intake = intake
    intake.start()
    note.send()
    delivery = intake.next(5)
    assert delivery is not None
    # The ring of that message is heard, too; from here on all is quiet.
    assert intake.next(0.3) is None
    # As after a flush, when single outcomes were not worth waking for.
    intake._enough = 64
    line.late = delivery
    assert intake.next(1) is None
    assert broker.stats().running == 0
    intake.close()
