"""Settings come from the environment by name; a mistake stops the process and names itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.errors import SettingsError
from workers.settings import load_settings


def problem_with(**environment: str) -> str:
    """What loading the settings says in a process with this environment, "" if it is content."""
    code = (
        "from workers.settings import load_settings\n"
        "from workers.errors import SettingsError\n"
        "try:\n    load_settings()\nexcept SettingsError as wrong:\n    print(wrong)"
    )
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **environment}, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def test_defaults_are_valid_and_local() -> None:
    assert problem_with() == ""


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"REDIS_PORT": "0"}, "REDIS_PORT"),
        ({"ECONEURA_WORKER_THREADS": "-1"}, "ECONEURA_WORKER_THREADS"),
        ({"ECONEURA_WORKR_THREADS": "8"}, "unknown setting ECONEURA_WORKR_THREADS"),
        ({"ECONEURA_GRAPH_URL": "http://graph.example/v1.0"}, "ECONEURA_GRAPH_URL: must be https"),
        ({"ECONEURA_PUBLIC_URL": "acme.example"}, "ECONEURA_PUBLIC_URL: must be a URL"),
        ({"ECONEURA_ORGANIZATIONS": "/nowhere.toml"}, "ECONEURA_ORGANIZATIONS: no file at /nowhere.toml"),
        ({"REDIS_URL_FILE": "/nowhere"}, "REDIS_URL_FILE: cannot read /nowhere"),
        ({"ECONEURA_NAMESPACE": "a b"}, "ECONEURA_NAMESPACE"),
    ],
)
def test_a_mistake_names_the_setting(environment: dict[str, str], named: str) -> None:
    assert named in problem_with(**environment)


def test_clear_text_is_allowed_on_loopback_only() -> None:
    assert problem_with(ECONEURA_PUBLIC_URL="http://127.0.0.1:3001", LOG_LEVEL="x") == ""
    assert problem_with(ECONEURA_LOG_LEVEL="INFO") == ""


def test_tls_needs_both_files(tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.write_text("x")
    with pytest.raises(SettingsError, match="ECONEURA_TLS_KEY_FILE go together"):
        load_settings(tls_cert_file=certificate)
