"""The event loop that async actors run on: uvloop where it is installed."""

from __future__ import annotations

import asyncio
import logging

import uvloop
from dramatiq import Broker, Worker
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.middleware import AsyncIO

_START_S = 5.0
_CANCEL_S = 2.0


class UvloopThread(EventLoopThread):
    """dramatiq's thread with uvloop's loop."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger)
        self.loop.close()
        self.loop = uvloop.new_event_loop()

    def stop(self) -> None:
        """Cancel what still runs, so that it lets go of what it holds, then stop."""
        if self.loop.is_running():
            cancelling = asyncio.run_coroutine_threadsafe(self._cancel_all(), self.loop)
            cancelling.result(timeout=_CANCEL_S + 1)
        super().stop()  # type: ignore[no-untyped-call]

    async def _cancel_all(self) -> None:
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_CANCEL_S)


class EventLoop(AsyncIO):
    """Runs the event loop for as long as the worker lives."""

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        thread = UvloopThread(self.logger)
        thread.start(timeout=_START_S)
        set_event_loop_thread(thread)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        thread = get_event_loop_thread()
        if thread is not None:
            thread.stop()  # type: ignore[no-untyped-call]
            set_event_loop_thread(None)
