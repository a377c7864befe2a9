"""The event loop that async actors run on: uvloop's, with a time limit for each run."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Awaitable, Coroutine
from typing import Any, Generic, TypeVar

import uvloop
from dramatiq import Broker, MessageProxy, Worker
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.middleware import AsyncIO, ShutdownNotifications, TimeLimit
from dramatiq.middleware.threading import Interrupt

from workers.errors import TemporaryError

TIME_LIMIT_S = 600.0
"""An async actor that runs longer is cancelled; it may have a limit of its own: `@actor(time_limit_s=60)`."""
_START_S = 5.0
_CANCEL_S = 2.0
_INTERRUPTING = (TimeLimit, ShutdownNotifications)
_LOOK_EVERY_S = 0.1
_FOR_EVER = -1.0
_limit_s: contextvars.ContextVar[float] = contextvars.ContextVar("time_limit_s", default=TIME_LIMIT_S)
Result = TypeVar("Result")


class UvloopThread(EventLoopThread):
    """dramatiq's thread with uvloop's loop, and a cheaper way in and out of it."""

    def __init__(self, logger: logging.Logger, interrupt_check_ival: float) -> None:
        super().__init__(logger, interrupt_check_ival)
        # A main thread that ends, however it does, must end the process: its leases are renewed until then.
        self.daemon = True
        self.loop.close()
        self.loop = uvloop.new_event_loop()

    def run_coroutine(self, coro: Awaitable[Result]) -> Result:
        """Run it on the loop and wait for its end; raises what it raises, TemporaryError at the time limit.

        An interrupt of dramatiq's cancels it first. dramatiq's own way wakes each waiting thread ten times a
        second to see whether there was one; here only where `interrupt_check_ival` (s) is set.
        """
        run = _Run(self.loop, _limited(coro, _limit_s.get()))
        self.loop.call_soon_threadsafe(run.start, context=contextvars.copy_context())
        return run.result(self.interrupt_check_ival)

    def cancel_all(self) -> None:
        """Cancel what still runs and let it end, while all that it uses is open."""
        if self.loop.is_running():
            cancelling = asyncio.run_coroutine_threadsafe(self._cancel_all(), self.loop)
            cancelling.result(timeout=_CANCEL_S + 1)

    def stop(self) -> None:
        """Cancel what still runs, so that it lets go of what it holds, then stop."""
        self.cancel_all()
        super().stop()  # type: ignore[no-untyped-call]

    async def _cancel_all(self) -> None:
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_CANCEL_S)


class _Run(Generic[Result]):
    """One coroutine, run on the loop and awaited by a thread."""

    __slots__ = ("_coro", "_ended", "_loop", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Result]) -> None:
        self._loop = loop
        self._coro = coro
        self._ended = threading.Lock()
        self._ended.acquire()

    def start(self) -> None:
        self._task = self._loop.create_task(self._coro)
        self._task.add_done_callback(lambda _: self._ended.release())

    def result(self, look_every_s: float) -> Result:
        try:
            while not self._ended.acquire(timeout=look_every_s):
                continue
        except Interrupt as interrupt:
            self._loop.call_soon_threadsafe(self._cancel)
            if not self._ended.acquire(timeout=_CANCEL_S):
                raise TemporaryError("interrupted, and did not end", code="time_limit") from interrupt
            raise
        return self._task.result()

    def _cancel(self) -> None:
        self._task.cancel()


async def _limited(coro: Awaitable[Result], limit_s: float) -> Result:
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            return await coro
    except TimeoutError as error:
        if limit.expired():
            raise TemporaryError(f"ran longer than {limit_s:g} s", code="time_limit") from error
        raise


class EventLoop(AsyncIO):
    """Runs the event loop for as long as the worker lives."""

    def __init__(self, *, interruptible: bool = False) -> None:
        """`interruptible`: a middleware interrupts threads (dramatiq's that do so are known)."""
        super().__init__()
        self._interruptible = interruptible
        self._thread: UvloopThread | None = None

    @property
    def actor_options(self) -> set[str]:
        return {"time_limit_s"}

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        looks = self._interruptible or any(isinstance(each, _INTERRUPTING) for each in broker.middleware)
        self._thread = UvloopThread(self.logger, _LOOK_EVERY_S if looks else _FOR_EVER)
        self._thread.start(timeout=_START_S)
        set_event_loop_thread(self._thread)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        actor: Any = broker.actors.get(message.actor_name)
        _limit_s.set(actor.options.get("time_limit_s", TIME_LIMIT_S) if actor else TIME_LIMIT_S)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        if self._thread is not None:
            self._thread.stop()
        if get_event_loop_thread() is self._thread:
            set_event_loop_thread(None)
