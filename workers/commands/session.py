"""What the commands for operators share: settings, Redis, who runs them, the note of what they changed."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.settings import Settings
    from workers.store.audit import Detail


@contextmanager
def begun(command: str) -> Iterator[Settings]:
    """Settings with the Redis to use; raises SettingsError, and QueueUnavailable where Redis fails inside."""
    import redis

    from workers import logs, redis_clients, redis_server
    from workers.errors import QueueUnavailable
    from workers.settings import load_settings
    from workers.store import Keys, schema

    settings = load_settings()
    logs.configure(command, level="error", form=settings.log_format)
    with redis_server.available(settings) as ready:
        try:
            with redis_clients.connect_sync(ready) as client:
                schema.agree(client, Keys(ready.namespace, ready.partitions))
            yield ready
        except redis.RedisError as away:
            raise QueueUnavailable(f"redis: {away}") from away


def operator() -> str:
    """As the audit log names who works at the command line: `cli:USER/HOST`."""
    user_id = os.getuid()
    try:
        user = pwd.getpwuid(user_id).pw_name
    except KeyError:
        # In a container the user may be a number alone.
        user = str(user_id)
    return f"cli:{user}/{socket.gethostname()}"


async def note(
    settings: Settings, what: str, *, organization_id: str = "", target: str = "", **details: Detail
) -> None:
    """Keep a change that was made from the command line."""
    from workers.store import Change, Store

    given = {name: value for name, value in details.items() if value is not None}
    async with Store.open(settings) as store:
        await store.audit.note(Change(what, operator(), organization_id, target, given))
