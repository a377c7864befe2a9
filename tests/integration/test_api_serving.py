"""The api as a process: how it starts, refuses to start, shares a port, and ends."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import trustme

from tests.econeura import econeura, environment
from tests.redis_process import free_port
from tests.waiting import eventually, wait_for

ORGANIZATIONS = """
[organizations.solo]
tenant_id = "t"
client_id = "c"
client_secret = "file:secret"
mailboxes = ["info@solo.example"]
"""
BODY = json.dumps({"messageId": "m1", "organizationId": "solo"}).encode()
JSON = {"Content-Type": "application/json"}


class ApiProcess:
    """`econeura api` on a port of this machine."""

    def __init__(self, redis_url: str, directory: Path, port: int, **settings: str) -> None:
        (directory / "secret").write_text("s")
        (directory / "organizations.toml").write_text(ORGANIZATIONS)
        self.port = port
        self.log = directory / f"api-{id(self)}.log"
        env = environment(
            REDIS_URL=redis_url,
            PORT=str(port),
            ECONEURA_DATA_DIR=directory / "data",
            ECONEURA_ORGANIZATIONS=directory / "organizations.toml",
            **settings,
        )
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "workers", "api"], env=env, stderr=log)
        wait_for(self.is_listening, what="the api to listen")

    def is_listening(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return '"listening"' in self.log.read_text()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def running(
    redis_url: str, directory: Path, port: int | None = None, **settings: str
) -> Iterator[ApiProcess]:
    api = ApiProcess(redis_url, directory, port or free_port(), **settings)
    try:
        yield api
    finally:
        api.process.kill()
        api.process.wait()


def test_an_open_request_is_answered_before_the_end(redis_url: str, tmp_path: Path) -> None:
    with running(redis_url, tmp_path) as api:
        waiting = api.connect()
        waiting.request("POST", "/emails/process", BODY, {**JSON, "Prefer": "wait=60"})
        with redis.Redis.from_url(redis_url) as client:
            eventually(lambda: client.pubsub_numsub("{econeura}:jobs-ended")[0][1])
        api.process.send_signal(signal.SIGTERM)
        answer = waiting.getresponse()
        assert answer.status == 202, "a job that has not ended: the caller asks again later"
        assert answer.headers["Connection"] == "close"
        assert json.loads(answer.read())["data"]["status"] == "queued"
        assert api.process.wait(30) == 0


def test_a_request_whose_body_is_still_coming_is_taken_in(redis_url: str, tmp_path: Path) -> None:
    with running(redis_url, tmp_path) as api:
        slow = api.connect()
        slow.putrequest("POST", "/emails/process")
        for name, value in {**JSON, "Content-Length": str(len(BODY))}.items():
            slow.putheader(name, value)
        slow.endheaders(BODY[:10])
        eventually(lambda: http_status(api, "/health/ready") == 200)
        api.process.send_signal(signal.SIGTERM)
        eventually(lambda: "draining" in api.log.read_text())
        slow.send(BODY[10:])
        assert slow.getresponse().status == 202
        assert api.process.wait(30) == 0


def test_an_idle_connection_does_not_hold_up_the_end(redis_url: str, tmp_path: Path) -> None:
    with running(redis_url, tmp_path) as api:
        idle = api.connect()
        idle.request("GET", "/health/live")
        assert idle.getresponse().read()
        assert api.stop() == 0


def test_a_client_that_keeps_its_connection_loses_no_request(redis_url: str, tmp_path: Path) -> None:
    """While the server stops, each request gets an answer, or the connection was closed by the one before."""
    with running(redis_url, tmp_path) as api:
        unanswered: list[str] = []
        is_told = threading.Event()

        def call_on_and_on() -> None:
            connection = api.connect()
            while True:
                try:
                    connection.request("GET", "/health/live")
                    answer = connection.getresponse()
                    answer.read()
                except OSError as broken:
                    unanswered.append(repr(broken))
                    return
                if answer.headers.get("Connection") == "close":
                    is_told.set()
                    return

        callers = [threading.Thread(target=call_on_and_on) for _ in range(4)]
        for caller in callers:
            caller.start()
        eventually(lambda: http_status(api, "/health/ready") == 200)
        assert api.stop() == 0
        for caller in callers:
            caller.join(30)
        assert unanswered == [] and is_told.is_set()


def test_several_processes_share_a_port_and_end_one_by_one(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    with (
        running(redis_url, tmp_path, port, ECONEURA_API_PROCESSES="2") as one,
        running(redis_url, tmp_path, port, ECONEURA_API_PROCESSES="2") as other,
    ):
        for _ in range(20):
            assert http_status(one, "/health/ready") == 200
        assert one.stop() == 0
        for _ in range(20):
            assert http_status(other, "/health/ready") == 200
        assert other.stop() == 0


def test_a_port_in_use_is_said_and_not_shared_by_chance(redis_url: str, tmp_path: Path) -> None:
    with running(redis_url, tmp_path) as api:
        env = environment(REDIS_URL=redis_url, PORT=str(api.port), ECONEURA_DATA_DIR=tmp_path / "other")
        second = econeura("api", env=env)
        assert second.returncode == 2
        assert f"cannot listen on 127.0.0.1:{api.port}" in second.stderr
        assert "Traceback" not in second.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])  # noqa: S104 refused
def test_no_other_machine_is_let_in_without_keys(redis_url: str, tmp_path: Path, host: str) -> None:
    env = environment(REDIS_URL=redis_url, HOST=host, ECONEURA_DATA_DIR=tmp_path)
    refused = econeura("api", env=env)
    assert refused.returncode == 2
    assert refused.stderr.startswith("econeura: HOST: ")
    assert "keys create" in refused.stderr and "ECONEURA_BOOTSTRAP_KEY_FILE" in refused.stderr


def test_while_nobody_can_tell_whether_there_are_keys_it_does_not_start_and_may_be_started_again(
    tmp_path: Path,
) -> None:
    env = environment(REDIS_URL="redis://127.0.0.1:1", HOST="0.0.0.0", ECONEURA_DATA_DIR=tmp_path)  # noqa: S104
    refused = econeura("api", env=env)
    assert (refused.returncode, "redis cannot be reached" in refused.stderr) == (1, True)


def test_it_serves_tls_by_itself(redis_url: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate_file, key_file = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(certificate_file)
    certificate.private_key_pem.write_to_path(key_file)
    with running(
        redis_url, tmp_path, ECONEURA_TLS_CERT_FILE=certificate_file, ECONEURA_TLS_KEY_FILE=key_file
    ) as api:
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        connection = http.client.HTTPSConnection("127.0.0.1", api.port, timeout=30, context=trust)
        connection.request("GET", "/health/live")
        assert connection.getresponse().status == 200


def test_settings_are_read_again_on_sighup(redis_url: str, tmp_path: Path) -> None:
    with running(redis_url, tmp_path) as api:
        (tmp_path / "organizations.toml").write_text(ORGANIZATIONS.replace(".solo]", ".renamed]"))
        api.process.send_signal(signal.SIGHUP)
        eventually(lambda: "organizations_reloaded" in api.log.read_text())
        (tmp_path / "organizations.toml").write_text("[")
        api.process.send_signal(signal.SIGHUP)
        eventually(lambda: "organizations_not_reloaded" in api.log.read_text())
        connection = api.connect()
        connection.request("GET", "/organizations")
        data = json.loads(connection.getresponse().read())["data"]
        assert [each["id"] for each in data["organizations"]] == ["renamed"]


def http_status(api: ApiProcess, path: str) -> int:
    """The status of a GET over a connection of its own."""
    connection = api.connect()
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
