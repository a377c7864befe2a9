"""Work beside the requests, for as long as something is in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

_SAY_AGAIN_S = 0.1


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a coroutine meanwhile; it is cancelled at the end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await end(task)


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task and return when it has ended; raises what it raised.

    It is told until it hears: where what redis-py waits for comes in the same moment, Python 3.11 loses a
    cancellation (asyncio.wait_for).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_SAY_AGAIN_S)
    if not task.cancelled() and (problem := task.exception()) is not None:
        raise problem
