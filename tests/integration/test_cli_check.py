"""`econeura check`: what is right is said, what is wrong comes with what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.econeura import econeura, environment
from tests.redis_process import RedisProcess
from tests.waiting import wait_for

Sandbox = dict[str, Any]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    directory = tmp_path_factory.mktemp("sandbox")
    words = [sys.executable, "-m", "workers.sandbox", "--data-dir", str(directory), "--no-samples"]
    process = subprocess.Popen(words)
    try:
        run_file = directory / "sandbox.json"
        wait_for(lambda: run_file.exists() or process.poll() is not None)
        yield json.loads(run_file.read_text())
    finally:
        process.terminate()
        process.wait(20)


def organizations_file(directory: Path, sandbox: Sandbox, **changes: Any) -> Path:
    (directory / "secret").write_text(changes.pop("secret", sandbox["client_secret"]))
    facts = {
        "tenant_id": sandbox["tenant_id"],
        "client_id": sandbox["client_id"],
        "client_secret": "file:secret",
        "mailboxes": sandbox["mailboxes"],
        **changes,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in facts.items()]
    path = directory / "organizations.toml"
    path.write_text("\n".join(["[organizations.acme]", *lines]))
    return path


def settings_for(directory: Path, sandbox: Sandbox, organizations: Path) -> dict[str, str]:
    return environment(
        ECONEURA_DATA_DIR=directory / "data",
        ECONEURA_ORGANIZATIONS=organizations,
        ECONEURA_GRAPH_URL=sandbox["url"],
        ECONEURA_LOGIN_URL=sandbox["login_url"],
        ECONEURA_CA_FILE=sandbox["ca_file"],
    )


def lines_about(subject: str, said: str) -> list[str]:
    return [line for line in said.splitlines() if line.split(maxsplit=1)[1].startswith(f"{subject}:")]


def test_all_is_well(tmp_path: Path, sandbox: Sandbox) -> None:
    said = econeura("check", env=settings_for(tmp_path, sandbox, organizations_file(tmp_path, sandbox)))
    assert said.returncode == 0, said
    assert {line.split()[0] for line in said.stdout.splitlines()} == {"ok", "note"}
    assert lines_about("webhook", said.stdout)[0].startswith("note")


def test_webhooks_that_cannot_be_told_are_problems(tmp_path: Path, sandbox: Sandbox) -> None:
    path = organizations_file(tmp_path, sandbox)
    (tmp_path / "signing").write_text("whsec_" + "A" * 44)
    tables = {
        "good": ("https://127.0.0.1:9/x", "file:signing"),
        "inside": ("https://127.0.0.2/", "file:signing"),
        "clear": ("http://8.8.8.8/", "file:signing"),
        "unsigned": ("https://127.0.0.1/", "file:secret"),
        "unset": ("https://127.0.0.1/", "env:NOT_SET_ANYWHERE"),
    }
    lines = [
        f'webhooks.{name} = {{ url = "{url}", secret = "{secret}" }}'
        for name, (url, secret) in tables.items()
    ]
    path.write_text("\n".join([path.read_text(), *lines]))
    env = {**settings_for(tmp_path, sandbox, path), "ECONEURA_WEBHOOK_NETWORKS": "127.0.0.1/32"}
    said = econeura("check", env=env)
    assert said.returncode == 1
    found = {name: lines_about(f"webhook acme/{name}", said.stdout)[0] for name in tables}
    assert found["good"].startswith("ok")
    assert {name for name, line in found.items() if line.startswith("problem")} == set(tables) - {"good"}
    for name, text in (
        ("inside", "127.0.0.2"),
        ("clear", "need https"),
        ("unsigned", "whsec_"),
        ("unset", "NOT_SET_ANYWHERE"),
    ):
        assert text in found[name]


def test_a_broken_credential_is_one_organizations_problem(tmp_path: Path, sandbox: Sandbox) -> None:
    path = organizations_file(tmp_path, sandbox, secret="wrong")
    said = econeura("check", env=settings_for(tmp_path, sandbox, path))
    assert said.returncode == 1
    (line,) = lines_about("organization acme", said.stdout)
    assert line.startswith("problem")
    assert "refused the credential" in line


def test_a_mailbox_that_does_not_exist_is_named(tmp_path: Path, sandbox: Sandbox) -> None:
    path = organizations_file(tmp_path, sandbox, mailboxes=["nobody@acme.example"])
    said = econeura("check", env=settings_for(tmp_path, sandbox, path))
    assert said.returncode == 1
    assert any("nobody@acme.example" in line for line in lines_about("organization acme", said.stdout))


def test_without_organizations_it_says_where_to_name_them(tmp_path: Path) -> None:
    said = econeura("check", env=environment(ECONEURA_DATA_DIR=tmp_path))
    assert said.returncode == 1
    assert "ECONEURA_ORGANIZATIONS" in lines_about("organizations", said.stdout)[0]


def test_a_redis_that_forgets_is_a_problem(tmp_path: Path) -> None:
    server = RedisProcess(
        tmp_path / "redis", arguments=("--appendonly", "no", "--maxmemory-policy", "allkeys-lru")
    ).start()
    try:
        said = econeura("check", env=environment(ECONEURA_DATA_DIR=tmp_path, REDIS_URL=server.url))
    finally:
        server.stop()
    assert said.returncode == 1
    assert "appendonly yes" in lines_about("Redis persistence", said.stdout)[0]
    assert "noeviction" in lines_about("Redis eviction", said.stdout)[0]


def test_a_redis_that_is_away_is_a_problem_and_keeps_its_password(tmp_path: Path) -> None:
    env = environment(ECONEURA_DATA_DIR=tmp_path, REDIS_URL="redis://:hush-hush@127.0.0.1:1/0")
    said = econeura("check", env=env)
    assert said.returncode == 1
    (line,) = lines_about("Redis", said.stdout)
    assert line.startswith("problem")
    assert "hush-hush" not in said.stdout + said.stderr


def test_an_unreachable_webhook_is_a_problem(tmp_path: Path) -> None:
    env = environment(ECONEURA_DATA_DIR=tmp_path, ECONEURA_PUBLIC_URL="http://127.0.0.1:1")
    said = econeura("check", env=env)
    assert said.returncode == 1
    assert lines_about("webhook", said.stdout)[0].startswith("problem")
