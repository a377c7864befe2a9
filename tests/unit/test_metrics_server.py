"""A host without an api shows its metrics all the same."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from workers import metrics, metrics_server
from workers.errors import SettingsError


@pytest.fixture
def base() -> Iterator[str]:
    with metrics_server.serving("127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


def get(url: str) -> tuple[str, str]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.headers["Content-Type"]), answer.read().decode()


def test_it_shows_what_this_host_counted(base: str) -> None:
    counted = metrics.JOBS_PROCESSED.labels("metrics_server_test", "completed", "org")
    counted.inc()
    media, text = get(f"{base}/metrics")
    assert media.startswith("text/plain")
    assert 'type="metrics_server_test"' in text


def test_it_says_that_the_process_lives(base: str) -> None:
    assert get(f"{base}/health/live")[1] == "alive\n"


def test_nothing_else_is_served(base: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{base}/emails/1")


def test_the_port_is_free_again_afterwards() -> None:
    with metrics_server.serving("127.0.0.1", 0) as port:
        pass
    with metrics_server.serving("127.0.0.1", port) as again:
        assert again == port


def test_a_port_in_use_is_named_with_its_setting() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SettingsError, match="ECONEURA_METRICS_PORT"),
        metrics_server.serving("127.0.0.1", taken.getsockname()[1]),
    ):
        raise AssertionError("served on a port that another has")
