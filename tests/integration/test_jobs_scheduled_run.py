"""One run in a worker's hands: its end is kept, whatever the work does; a watcher outside is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from workers.errors import PermanentError, TemporaryError
from workers.jobs import SCHEDULED_JOBS
from workers.pipeline.scheduled_run import Done, RunInHand, carry_out, end
from workers.settings import load_settings
from workers.store import Store
from workers.store.job_state import Run

JOB = "cleanup"
FIRST = RunInHand(JOB, "7", datetime(2026, 11, 22, 12, tzinfo=UTC), attempt=1, is_last_attempt=False)
LAST = replace(FIRST, attempt=3, is_last_attempt=True)


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    async with Store.open(load_settings(redis_url=redis_url)) as store:
        yield store


class Watcher(ThreadingHTTPServer):
    """Takes pings as a Healthchecks server does."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        watcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                watcher.heard.append((self.path, text))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/check-1"


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    server = Watcher()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def well() -> Done:
    return Done({"removed": 3})


async def badly() -> Done:
    raise PermanentError("no such thing", code="not_found")


async def not_now() -> Done:
    raise TemporaryError("redis is away")


async def only_half() -> Done:
    return Done({"written": 1}, "acme: access_denied")


async def for_ever() -> Done:
    await asyncio.Event().wait()
    raise AssertionError


async def last_run(store: Store) -> Run:
    return (await store.schedule.runs(JOB))[0]


async def test_what_it_did_is_kept(store: Store) -> None:
    await carry_out(store, FIRST, well)
    run = await last_run(store)
    assert (run.status, run.figures, run.attempts, run.error) == ("completed", {"removed": 3}, 1, None)


async def test_a_run_that_is_over_is_not_done_again(store: Store) -> None:
    await carry_out(store, FIRST, well)
    await carry_out(store, FIRST, badly)
    assert (await last_run(store)).status == "completed"
    assert (await store.schedule.get(JOB)).run_count == 1


async def test_a_failure_of_ours_ends_the_run_and_says_why(store: Store) -> None:
    await carry_out(store, FIRST, badly)
    run = await last_run(store)
    assert (run.status, run.error) == ("failed", "no such thing")
    assert (await store.schedule.get(JOB)).error_count == 1


async def test_trouble_that_may_pass_is_tried_again_and_then_fails(store: Store) -> None:
    with pytest.raises(TemporaryError):
        await carry_out(store, FIRST, not_now)
    assert (await last_run(store)).status == "retrying"
    await carry_out(store, LAST, not_now)
    run = await last_run(store)
    assert (run.status, run.error, run.attempts) == ("failed", "redis is away", 3)


async def test_half_a_job_is_tried_again_and_then_kept_with_its_figures(store: Store) -> None:
    with pytest.raises(TemporaryError, match="access_denied"):
        await carry_out(store, FIRST, only_half)
    await carry_out(store, LAST, only_half)
    run = await last_run(store)
    assert (run.status, run.error, run.figures) == ("failed", "acme: access_denied", {"written": 1})


async def test_a_run_past_its_time_limit_is_stopped(store: Store) -> None:
    await store.schedule.define([replace(SCHEDULED_JOBS[JOB], time_limit_s=1)])
    await carry_out(store, FIRST, for_ever)
    run = await last_run(store)
    assert (run.status, run.error) == ("failed", "exceeded its time limit of 1 s")


async def test_a_time_limit_of_the_work_itself_is_not_taken_for_the_runs(store: Store) -> None:
    async def slow_call() -> Done:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await carry_out(store, FIRST, slow_call)
    assert (await last_run(store)).status == "running", "another try follows, or the dead letters end it"


async def test_a_death_in_the_queue_ends_the_run(store: Store) -> None:
    await store.scheduled_runs.start(JOB, "7", due=FIRST.due, attempt=1, at_work_s=60)
    assert await end(store, JOB, "7", "failed", error="poison: 3 workers died")
    assert not await end(store, JOB, "7", "failed", error="again")
    assert (await store.schedule.get(JOB)).last_error == "poison: 3 workers died"


async def test_a_watcher_hears_of_start_and_end(store: Store, watcher: Watcher) -> None:
    await store.schedule.define([replace(SCHEDULED_JOBS[JOB], ping_url=watcher.url)])
    await carry_out(store, FIRST, well)
    await carry_out(store, replace(FIRST, run_id="8"), badly)
    assert watcher.heard == [
        ("/check-1/start", ""),
        ("/check-1", ""),
        ("/check-1/start", ""),
        ("/check-1/fail", "no such thing"),
    ]


async def test_a_deaf_watcher_harms_nothing(store: Store) -> None:
    await store.schedule.define([replace(SCHEDULED_JOBS[JOB], ping_url="http://127.0.0.1:9/check-1")])
    await carry_out(store, FIRST, well)
    assert (await last_run(store)).status == "completed"
