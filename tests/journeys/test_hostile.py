"""What strangers send to a real server: each is refused cleanly, and nobody else notices."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import orjson
import psutil
import pytest

from tests.hostile.case import CLOSED, Case
from tests.hostile.table import FAMILIES, TABLE
from tests.hostile.wire import talk
from tests.integration.test_api_serving import ApiProcess, running
from tests.redis_process import RedisProcess
from workers.broker.keys import PRIORITIES
from workers.scopes import SCOPES
from workers.store.api_keys import new_key
from workers.store.keys import Keys

_IDLE = 1000
_SLOW = 40
_ROUNDS = 4
_MB = 1 << 20
# Large bodies leave holes in the heap, and not always the same.
_GROWTH_MB = 40
# What others may wait meanwhile, one time in a hundred: this long, or on a busy machine so much longer than
# when nobody attacks.
_OTHERS_P99_MS, _TIMES_AS_LONG = 100.0, 20
_CALM_CALLS = 100
_PARTIAL_HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


@dataclass(frozen=True)
class Server:
    """An api under attack, and a key that is good for all of it."""

    api: ApiProcess
    store: RedisProcess
    key: str

    @property
    def port(self) -> int:
        return self.api.port

    def resident_mb(self) -> float:
        return float(psutil.Process(self.api.process.pid).memory_info().rss / _MB)

    def connections(self) -> int:
        return len(psutil.Process(self.api.process.pid).net_connections("tcp"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("hostile")
    store = RedisProcess(directory / "redis").start()
    key, text = new_key("test", SCOPES)
    with store.client() as client:
        client.hset(Keys("econeura").api_keys(), key.id, orjson.dumps(key))
    with running(store.url, directory) as api:
        yield Server(api, store, text)
    store.stop()


def test_the_table_is_long_and_each_case_has_a_name_of_its_own() -> None:
    assert len(TABLE) >= 500
    assert len({case.name for case in TABLE}) == len(TABLE)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_is_refused_cleanly(server: Server, family: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        unclean = list(filter(None, pool.map(lambda case: wrong_with(server, case), FAMILIES[family])))
    assert not unclean, "\n".join(unclean)
    assert server.api.process.poll() is None
    log = server.api.log.read_text()
    assert "crashed" not in log and "Traceback" not in log


def test_nothing_of_it_is_taken_for_work(server: Server) -> None:
    play(server, TABLE)
    with server.store.client() as client:
        queued = [client.lrange(f"{{econeura}}:q:ready:{priority}", 0, -1) for priority in PRIORITIES]
    assert [entry for line in queued for entry in line if b'"theirs"' not in entry] == []


def test_others_are_served_meanwhile_and_memory_stays(server: Server) -> None:
    play(server, TABLE)
    with minding_their_own_business(server, calls=_CALM_CALLS) as others:
        calm = others()
    with ExitStack() as stack:
        stack.enter_context(idle(server, _IDLE))
        stack.enter_context(dribbling(server, _SLOW))
        before_mb = server.resident_mb()
        others = stack.enter_context(minding_their_own_business(server))
        for _ in range(_ROUNDS):
            play(server, TABLE)
        grown_mb = server.resident_mb() - before_mb
        at_work = server.connections()
        served = others()
    print(
        f"\nhostile table: {len(TABLE)} cases {_ROUNDS} times beside {_IDLE} idle, {_SLOW} slow connections; "
        f"{len(served.times_ms)} calls of others: p50 {served.at(0.5):.1f} ms, p99 {served.at(0.99):.1f} ms "
        f"(before: {calm.at(0.99):.1f} ms); memory {before_mb:.0f} MB, grown by {grown_mb:.1f} MB"
    )
    assert at_work > _IDLE, "the idle ones were held"
    assert (calm.failed, served.failed) == (0, 0) and len(served.times_ms) > 100
    assert served.at(0.99) < max(_OTHERS_P99_MS, _TIMES_AS_LONG * calm.at(0.99))
    assert grown_mb < _GROWTH_MB


def wrong_with(server: Server, case: Case) -> str:
    """What was not clean about the answer to a case, "" if it was."""
    try:
        heard = talk(server.port, case, server.key)
    except TimeoutError:
        return f"{case.name}: no answer"
    if len(heard.statuses) != 1 or heard.statuses[0] not in case.statuses:
        return f"{case.name}: {heard.statuses} in place of {sorted(case.statuses)}"
    if heard.statuses[0] in (CLOSED, 202):
        return ""
    if not (heard.error.get("code") and heard.error.get("correlationId") and heard.error["success"] is False):
        return f"{case.name}: not our envelope: {heard.data[-200:]!r}"
    banner = any(word in heard.data.lower() for word in (b"aiohttp", b"python", b"\r\nserver:"))
    return f"{case.name}: shows what we are made of" if banner else ""


def play(server: Server, cases: tuple[Case, ...]) -> None:
    """All cases, eight at a time; a case that is not answered raises TimeoutError."""
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda case: talk(server.port, case, server.key), cases):
            pass


@contextmanager
def idle(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """Connections over which nothing comes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1000), hard))
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(count)
        ]


@contextmanager
def dribbling(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """Connections over which a header comes byte by byte (slow-loris)."""
    stop = threading.Event()
    with idle(server, count) as wires:

        def dribble() -> None:
            for wire in wires:
                wire.sendall(_PARTIAL_HEAD)
            while not stop.wait(0.5):
                for wire in wires:
                    try:
                        wire.send(b"a")
                    except OSError:
                        # Given up: what the test waits for.
                        continue

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            yield wires
        finally:
            stop.set()
            thread.join()


@dataclass(frozen=True)
class Served:
    """How others fared: what each call took, in ms and in order of length, and how many went wrong."""

    times_ms: list[float]
    failed: int

    def at(self, part: float) -> float:
        """What this part of the calls took at most."""
        return self.times_ms[int(len(self.times_ms) * part)]


@contextmanager
def minding_their_own_business(server: Server, *, calls: int = 0) -> Iterator[Callable[[], Served]]:
    """Others, in a process of their own. What is yielded ends them, after so many calls if that is said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.others", str(server.port), server.key, str(calls)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def end() -> Served:
        said, _ = process.communicate(timeout=60)
        told = json.loads(said)
        return Served(sorted(told["times_ms"]), told["failed"])

    try:
        yield end
    finally:
        process.kill()
        process.wait()
