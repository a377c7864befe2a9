"""A connection to Redis that its owner keeps: who calls all the time would pay more for the pool's care."""

from __future__ import annotations

from typing import Any


class Wire:
    """Calls one after another over a connection out of `pool`, which closes it with all others.

    One that was lost is noticed by the call that fails on it; the next connects again. Raises what redis-py
    raises, within the time limits of the pool's connections. Belongs to one event loop.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._connection: Any = None

    async def execute_command(self, *command: Any) -> Any:
        """As that of a client of redis-py, which then need not know that this is none."""
        if self._connection is None:
            self._connection = await self._pool.get_connection()
        elif not self._connection.is_connected:
            # Of a sentinel's pool it asks who is master by now; to send alone would not.
            await self._connection.connect()
        packed = self._connection.pack_command(*command)
        await self._connection.send_packed_command(packed, check_health=False)
        return await self._connection.read_response()
