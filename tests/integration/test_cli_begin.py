"""How the command line begins: help that explains, mistakes in one line, nothing loaded in vain."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.econeura import econeura, environment
from workers.commands import COMMANDS


def test_help_names_every_command() -> None:
    said = econeura("--help")
    assert said.returncode == 0
    assert all(name in said.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_a_command_explains_it(command: str) -> None:
    said = econeura(command, "--help")
    assert said.returncode == 0
    assert said.stderr == ""
    assert len(said.stdout.splitlines()) > 5


@pytest.mark.parametrize("words", [(), ("nothing-of-ours",), ("up", "--unknown")])
def test_a_wrong_command_line_is_refused(words: tuple[str, ...]) -> None:
    said = econeura(*words)
    assert said.returncode == 2
    assert "usage: econeura" in said.stderr


@pytest.mark.parametrize("command", ["up", "api", "worker", "scheduler", "demo", "check"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ECONEURA_WORKER_THREDS", "8"),
        ("PORT", "http"),
        ("ECONEURA_ORGANIZATIONS", "/nowhere/organizations.toml"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(command: str, name: str, value: str, tmp_path: Path) -> None:
    said = econeura(command, env=environment(ECONEURA_DATA_DIR=tmp_path, **{name: value}))
    assert said.returncode == 2
    assert said.stdout == ""
    assert len(said.stderr.splitlines()) == 1
    assert name in said.stderr


def test_a_wrong_organizations_file_stops_the_service_before_it_starts(tmp_path: Path) -> None:
    path = tmp_path / "organizations.toml"
    path.write_text("[organizations.acme]\ntenant_id = 7\n")
    said = econeura("up", env=environment(ECONEURA_DATA_DIR=tmp_path, ECONEURA_ORGANIZATIONS=path))
    assert said.returncode == 2
    assert len(said.stderr.splitlines()) == 1
    assert "organizations.acme.client_id" in said.stderr


def test_help_loads_nothing_that_takes_time() -> None:
    script = """
import sys
from workers.__main__ import main
try:
    main(["demo", "--help"])
finally:
    print(*sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    slow = {"pydantic", "redis", "aiohttp", "dramatiq", "prometheus_client", "rich", "numpy"}
    assert not slow & set(said.stdout.split())
