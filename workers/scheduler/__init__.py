"""The scheduler process: publishes the scheduled jobs when they are due. Any number of it may run.

What is due is told by Redis, not by a process: a fire is found from the last one that was claimed (due.py),
claimed and queued in one atomic step (workers/broker/fire.lua), and so published once however many try.
APScheduler only wakes us at the right moment (loop.py); a look twice a second sees what people changed.
"""

from workers.scheduler.process import run

__all__ = ["run"]
