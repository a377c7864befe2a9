"""`econeura demo` as a newcomer runs it: every message comes to an end, and nothing is left behind."""

from __future__ import annotations

import mailbox
import signal
import socket
import subprocess
from email.message import EmailMessage
from pathlib import Path

import psutil
import pytest

from tests.econeura import PROGRAM, econeura, environment
from tests.redis_process import RedisProcess
from tests.waiting import wait_for

_LIMIT_S = 120


def rows_of(said: str) -> list[str]:
    """The lines of the table: they begin with a time."""
    return [line for line in said.splitlines() if line[2:3] == ":" and line[5:6] == ":"]


def a_mail(number: int) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"Ana {number} <ana{number}@cliente.example>"
    mail["To"] = "info@acme.example"
    mail["Subject"] = f"Factura {number}"
    mail["Message-ID"] = f"<{number}@cliente.example>"
    mail.set_content(f"Adjunto la factura {number} por importe de 1.234,56 EUR.")
    return mail


def processes_of(directory: Path) -> list[psutil.Process]:
    """Processes whose environment names this data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("ECONEURA_DATA_DIR") == str(directory):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_the_sample_mailbox_comes_to_a_good_end(tmp_path: Path) -> None:
    env = environment(ECONEURA_DATA_DIR=tmp_path)
    said = econeura("demo", "--once", "--port", "0", env=env, timeout_s=_LIMIT_S)
    assert said.returncode == 0, said.stdout + said.stderr
    assert len(rows_of(said.stdout)) >= 40
    assert "Traceback" not in said.stderr
    assert said.stdout.count("  curl ") == 3
    for kind in ("[Support]", "categorized", "answered", "forwarded", "archived"):
        assert kind in said.stdout
    assert processes_of(tmp_path) == []


def test_ones_own_mail_is_taken_from_mbox_and_eml_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    box = mailbox.mbox(folder / "old.mbox")
    for number in (1, 2):
        box.add(a_mail(number))
    box.close()
    (folder / "three.eml").write_bytes(bytes(a_mail(3)))
    (folder / "notes.txt").write_text("no mail")
    said = econeura("demo", "--once", "--port", "0", "--mail", folder, timeout_s=_LIMIT_S)
    assert said.returncode == 0, said.stdout + said.stderr
    assert len(rows_of(said.stdout)) == 3
    assert "3 messages in" in said.stdout


def test_a_busy_port_is_replaced_and_said(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(bytes(a_mail(1)))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = econeura(
            "demo", "--once", "--port", str(port), "--mail", tmp_path / "one.eml", timeout_s=_LIMIT_S
        )
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"(port {port} is in use)" in said.stdout


def test_a_redis_of_others_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(bytes(a_mail(1)))
    server = RedisProcess(tmp_path / "redis").start()
    try:
        with server.client() as client:
            client.set("{econeura}:theirs", "kept")
            env = environment(REDIS_URL=server.url)
            said = econeura(
                "demo", "--once", "--port", "0", "--mail", tmp_path / "one.eml", env=env, timeout_s=_LIMIT_S
            )
            assert said.returncode == 0, said.stdout + said.stderr
            assert client.keys("*") == [b"{econeura}:theirs"]
    finally:
        server.stop()


def test_the_data_of_a_service_are_not_taken_for_a_demos(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    said = econeura("demo", "--once", env=environment(ECONEURA_DATA_DIR=tmp_path))
    assert said.returncode == 2
    assert "holds the data of a service" in said.stderr


def test_mail_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = econeura("demo", "--mail", tmp_path / "nowhere")
    assert said.returncode == 2
    assert said.stderr.strip().endswith(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_it_is_ended_and_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "one.eml").write_bytes(bytes(a_mail(1)))
    data_dir = tmp_path / "data"
    words = [*PROGRAM, "demo", "--port", "0", "--mail", str(tmp_path / "one.eml")]
    out = tmp_path / "out"
    with out.open("wb") as stdout:
        demo = subprocess.Popen(words, env=environment(ECONEURA_DATA_DIR=data_dir), stdout=stdout)
    try:
        wait_for(lambda: "Try:" in out.read_text(), timeout_s=_LIMIT_S, what="the summary")
        demo.send_signal(number)
        assert demo.wait(60) == 0
    finally:
        demo.kill()
    wait_for(lambda: processes_of(data_dir) == [])
