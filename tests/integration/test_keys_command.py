"""`econeura keys`: a key is printed once, listed without its secret, and ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.econeura import econeura, environment

ORGANIZATIONS = """
[organizations.acme]
tenant_id = "t"
client_id = "c"
client_secret = "file:secret"
mailboxes = ["a@acme.example"]
[organizations.solo]
tenant_id = "t"
client_id = "c"
client_secret = "file:secret"
mailboxes = ["a@solo.example"]
"""


@pytest.fixture
def env(redis_url: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "organizations.toml").write_text(ORGANIZATIONS)
    return environment(
        REDIS_URL=redis_url,
        ECONEURA_DATA_DIR=tmp_path / "data",
        ECONEURA_ORGANIZATIONS=tmp_path / "organizations.toml",
    )


def test_the_key_alone_is_on_standard_output(env: dict[str, str]) -> None:
    made = econeura("keys", "create", "--name", "crm", "--scope", "submit,read", env=env)
    assert made.returncode == 0, made.stderr
    (text,) = made.stdout.splitlines()
    _, key_id, secret = text.split("_", 2)
    assert len(secret) >= 40
    assert secret not in made.stderr and key_id in made.stderr
    listed = econeura("keys", "list", env=env).stdout
    row = next(line for line in listed.splitlines() if key_id in line)
    assert row.split()[1:4] == ["crm", "read,submit", "(all)"]
    assert secret not in listed


def test_a_revoked_key_is_gone(env: dict[str, str]) -> None:
    words = ("--name", "crm", "--scope", "read", "--organization", "acme", "--expires-days", "1")
    key_id = econeura("keys", "create", *words, env=env).stdout.split("_")[1]
    assert "acme" in econeura("keys", "list", env=env).stdout
    assert econeura("keys", "revoke", key_id, env=env).returncode == 0
    assert key_id not in econeura("keys", "list", env=env).stdout
    again = econeura("keys", "revoke", key_id, env=env)
    assert (again.returncode, key_id in again.stderr) == (1, True)


def test_a_key_may_be_bound_to_several_organizations(env: dict[str, str]) -> None:
    words = ("--name", "desk", "--scope", "read", "--organization", "acme", "--organization", "solo")
    key_id = econeura("keys", "create", *words, env=env).stdout.split("_")[1]
    listed = econeura("keys", "list", env=env).stdout
    assert next(line for line in listed.splitlines() if key_id in line).split()[3] == "acme,solo"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--scope", "read,write"), "write"),
        (("--scope", ""), "--scope"),
        (("--scope", "read", "--organization", "nobody"), "nobody"),
        (("--scope", "read", "--organization", "acme", "--organization", "nobody"), "nobody"),
        (("--scope", "read", "--expires-days", "0"), "--expires-days"),
        (("--scope", "read", "--expires-days", "many"), "--expires-days"),
        ((), "--scope"),
    ],
)
def test_a_mistake_is_named_and_no_key_is_made(
    env: dict[str, str], words: tuple[str, ...], named: str
) -> None:
    refused = econeura("keys", "create", "--name", "x", *words, env=env)
    assert (refused.returncode, refused.stdout, named in refused.stderr) == (2, "", True)
    assert len(econeura("keys", "list", env=env).stdout.splitlines()) == 1


def test_the_audit_log_says_who_made_and_ended_a_key(env: dict[str, str]) -> None:
    words = ("--name", "crm", "--scope", "read", "--organization", "acme")
    made = econeura("keys", "create", *words, env=env).stdout
    key_id, secret = made.split("_")[1], made.strip().split("_", 2)[2]
    econeura("keys", "revoke", key_id, env=env)
    told = econeura("audit", "--json", env=env).stdout
    ended, begun = map(json.loads, told.splitlines())
    assert (begun["what"], begun["target"], begun["organizationId"]) == ("key.created", key_id, "acme")
    assert begun["details"] == {"name": "crm", "scopes": "read", "organizations": "acme"}
    assert (ended["what"], ended["target"]) == ("key.revoked", key_id)
    assert begun["by"].startswith("cli:") and begun["by"] == ended["by"]
    assert secret not in told
    shown = econeura("audit", "--limit", "1", "--organization", "acme", env=env).stdout
    assert "key.created" in shown and key_id in shown and "key.revoked" not in shown


def test_redis_away_is_said_in_a_line(tmp_path: Path) -> None:
    env = environment(REDIS_URL="redis://127.0.0.1:1", ECONEURA_DATA_DIR=tmp_path)
    refused = econeura("keys", "list", env=env)
    assert (refused.returncode, "redis" in refused.stderr, "Traceback" in refused.stderr) == (1, True, False)
