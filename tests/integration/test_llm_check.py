"""`econeura check` asks each organization's language model, and says what to do where it does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.econeura import econeura, environment
from tests.llm_server import LlmServer, Step, hangs, llm_server, refuses, says


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with llm_server() as running:
        yield running


def said_of(directory: Path, redis_url: str, **llm: str | float) -> str:
    """The line on the language model; without a Graph there are others."""
    lines = "\n".join(f"{name} = {value!r}" for name, value in llm.items())
    path = directory / "organizations.toml"
    path.write_text(
        "[organizations.acme]\ntenant_id = 't'\nclient_id = 'c'\nclient_secret = 'env:NOT_SET'\n"
        f"mailboxes = ['soporte@acme.example']\n[organizations.acme.llm]\nmodel = 'test-model'\n{lines}\n"
    )
    nowhere = "http://127.0.0.1:9"
    env = environment(
        ECONEURA_DATA_DIR=directory,
        ECONEURA_ORGANIZATIONS=path,
        ECONEURA_GRAPH_URL=nowhere,
        ECONEURA_LOGIN_URL=nowhere,
        REDIS_URL=redis_url,
    )
    said = econeura("check", env=env)
    lines_of_model = [line for line in said.stdout.splitlines() if " language model of acme:" in line]
    assert len(lines_of_model) <= 1, said
    return lines_of_model[0] if lines_of_model else ""


def test_a_model_that_answers(server: LlmServer, redis_url: str, tmp_path: Path) -> None:
    line = said_of(tmp_path, redis_url, use="unsure", endpoint=server.url)
    assert line.startswith("ok ") and "json_schema" in line
    # Asked again, not looked up.
    said_of(tmp_path, redis_url, use="unsure", endpoint=server.url)
    assert len(server.received) == 2


def test_one_that_is_not_used_is_not_asked(server: LlmServer, redis_url: str, tmp_path: Path) -> None:
    assert said_of(tmp_path, redis_url, use="never", endpoint=server.url) == ""
    assert server.received == []


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (refuses(401), "correct api_key"),
        (refuses(405), "correct endpoint"),
        (says("I'd rather chat."), "structured output"),
        (hangs, "raise timeout_s"),
    ],
    ids=["key", "path", "chat", "slow"],
)
def test_what_to_do_is_said(server: LlmServer, redis_url: str, tmp_path: Path, step: Step, told: str) -> None:
    server.then(step, step)
    line = said_of(tmp_path, redis_url, use="always", endpoint=server.url, timeout_s=0.8)
    assert line.startswith("problem ") and told in line


def test_a_key_that_is_missing_is_named(server: LlmServer, redis_url: str, tmp_path: Path) -> None:
    line = said_of(tmp_path, redis_url, use="always", endpoint=server.url, api_key="env:NOT_SET")
    assert line.startswith("problem ") and "organizations.acme.llm.api_key" in line


def test_an_empty_budget_is_no_problem(server: LlmServer, redis_url: str, tmp_path: Path) -> None:
    line = said_of(tmp_path, redis_url, use="always", endpoint=server.url, tokens_per_day=5)
    assert line.startswith("note ") and "tokens_per_day" in line
