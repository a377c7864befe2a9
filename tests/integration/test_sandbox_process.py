"""The sandbox as a process: what it loads, what it writes, and when it ends."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sandbox_process import running_sandbox

EVALUATION_MAIL = Path(__file__).parents[3] / "shared" / "data" / "eml"


def test_the_sample_mailbox_is_there_without_asking(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--mailbox", "soporte@acme.example") as sandbox:
        inbox = sandbox.folder("soporte@acme.example", "inbox", bodies=True)
    assert len(inbox) >= 40
    assert all(one["subject"] and one["from"] for one in inbox)


def test_only_the_owner_can_read_the_secrets_of_the_run(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "data", "--no-samples"):
        mode = (tmp_path / "data" / "sandbox.json").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        assert stat.S_IMODE((tmp_path / "data" / "sandbox-server.pem").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert not (tmp_path / "data" / "sandbox.json").exists()


def test_mail_comes_from_files_folders_and_mboxes_and_is_spread(tmp_path: Path) -> None:
    mails = tmp_path / "mail"
    (mails / "deeper").mkdir(parents=True)
    (mails / "a.eml").write_bytes(b"From: a@x.example\r\nSubject: one\r\n\r\nuno")
    (mails / "deeper" / "b.EML").write_bytes(b"Subject: two\n\n\xff\xfe")
    (mails / "notes.txt").write_bytes(b"no mail")
    mbox = b"From a Mon 10:00\nSubject: three\n\n>From here\n\nFrom b Tue 1:23:45\nSubject: four\n\nx\n"
    (mails / "old.mbox").write_bytes(mbox)
    options = ["--mail", str(mails), "--mailbox", "a@acme.example", "--mailbox", "b@acme.example", "--spread"]
    with running_sandbox(tmp_path / "data", *options) as sandbox:
        first = sandbox.folder("a@acme.example", "inbox", bodies=True)
        second = sandbox.folder("b@acme.example", "inbox")
    assert [one["subject"] for one in first] == ["one", "three"]
    assert [one["subject"] for one in second] == ["two", "four"]
    assert "From here" in first[1]["body"]["content"] and ">From" not in first[1]["body"]["content"]


def test_chaos_brings_faults_of_every_kind(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--no-samples", "--chaos") as sandbox:
        kinds = {one["kind"] for one in sandbox.admin("GET", "faults")["faults"]}
        behaviour = sandbox.admin("GET", "behaviour")
    assert kinds == {"status", "slow", "reset_before", "reset_after", "truncate"}
    assert behaviour["notification_lost_share"] > 0 and behaviour["sent_copy_changes_id"]


def test_loaded_mail_is_received_after_the_start(tmp_path: Path) -> None:
    started = time.time()
    (tmp_path / "a.eml").write_bytes(b"Date: Mon, 1 Jan 2001 10:00:00 +0100\nSubject: old\n\nx")
    with running_sandbox(tmp_path / "data", "--mail", str(tmp_path / "a.eml")) as sandbox:
        received = sandbox.folder("info@acme.example", "inbox")[0]["receivedDateTime"]
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)) <= received


def test_it_ends_at_sigterm_and_with_its_parent(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "one", "--no-samples") as sandbox:
        assert sandbox.stop() == 0
    script = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-m', 'workers.sandbox', '--no-samples', '--data-dir', sys.argv[1]]\n"
        "subprocess.Popen(command)\n"
        "time.sleep(60)\n"
    )
    run_file = tmp_path / "two" / "sandbox.json"
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "two")])
    deadline = time.monotonic() + 20
    while not run_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    # The sandbox takes the file away as its last act.
    while run_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(not EVALUATION_MAIL.is_dir(), reason="the evaluation mail is not here")
def test_every_raw_mail_however_broken_becomes_a_message(tmp_path: Path) -> None:
    files = len(list(EVALUATION_MAIL.glob("*.eml")))
    with running_sandbox(tmp_path, "--mail", str(EVALUATION_MAIL)) as sandbox:
        assert len(sandbox.folder("info@acme.example", "inbox")) == files
