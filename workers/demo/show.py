"""The course of the demo: the service runs, its messages are shown, and at the end it is told how it went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from workers.demo import summary
from workers.demo.follower import Follower
from workers.demo.place import Place
from workers.demo.sandbox_process import SandboxProcess
from workers.demo.screen import Screen
from workers.settings import Settings
from workers.store import Store
from workers.supervisor import Program, Supervisor

# Two rounds of the job that finds what got stuck.
_GIVE_UP_S = 660.0
_LOOK_EVERY_S = 0.25


class Show:
    """One run of the demo, in its place, with the Redis of `settings`."""

    def __init__(self, place: Place, settings: Settings, screen: Screen, *, once: bool) -> None:
        self._place = place
        self._settings = settings
        self._screen = screen
        self._once = once
        self._told = False
        self._began = time.monotonic()

    async def run(self, starting: SandboxProcess, programs: Sequence[Program]) -> bool:
        """Run the service on the sandbox's mail; returns whether messages and service came to a good end.

        Ends by itself with `once`, else at SIGTERM or Ctrl-C.
        """
        self._screen.text(self._place.greeting)
        sandbox = await starting.ready()
        self._place.configure(sandbox)
        supervisor = Supervisor(programs)
        service = asyncio.create_task(supervisor.run())
        async with Store.open(self._settings) as store:
            follower = Follower(store, sandbox)
            try:
                all_ended = await self._watch(follower, supervisor)
            finally:
                supervisor.stop()
                exit_code = await service
        self._tell(follower)
        return exit_code == 0 and (not self._once or (all_ended and follower.all_went_well()))

    async def _watch(self, follower: Follower, supervisor: Supervisor) -> bool:
        """Show messages until told to end or, with `once`, until all ended; returns whether they have."""
        news_at = looked_at = time.monotonic()
        async for batch in follower.follow():
            if supervisor.stopping.is_set():
                return False
            now = time.monotonic()
            self._screen.rows(batch)
            count = f"{len(follower.rows)} messages" if follower.rows else "starting the service"
            restarts = f", {supervisor.deaths} restarts (see the log)" if supervisor.deaths else ""
            self._screen.status(f"{count}, {now - self._began:.0f} s{restarts} (Ctrl-C to end)")
            if batch:
                news_at, self._told = now, False
            elif not self._told and now - looked_at >= _LOOK_EVERY_S:
                looked_at = now
                if await follower.is_quiet() or (self._once and now - news_at > _GIVE_UP_S):
                    self._screen.rows(follower.passed_over())
                    self._tell(follower)
                    if self._once:
                        return True
        return False

    def _tell(self, follower: Follower) -> None:
        if self._told:
            return
        self._told = True
        rows = follower.rows.values()
        took_s = time.monotonic() - self._began
        self._screen.text(summary.summary(rows, follower.unaccounted, took_s=took_s))
        if self._once:
            self._screen.text("\nLeave out --once to keep it running. Then:")
        example = next((row for row in rows if row.state == "done"), None)
        base_url = f"http://{self._settings.host}:{self._settings.port}"
        run_file = str(self._settings.data_dir / "sandbox.json")
        self._screen.text(summary.where_to_look(base_url, example, run_file=run_file))
