"""The README says what is so: settings, files, routes, commands and targets by their real names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.app import ROUTE_TABLE
from workers.commands import COMMANDS
from workers.jobs import SCHEDULED_JOBS
from workers.organizations import load_organizations
from workers.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOT_FOR_CALLERS = {("GET", "/docs/{file}"), ("GET", "/docs"), ("GET", "/openapi.json"), ("POST", "/listen")}


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", README, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def rows(title: str) -> list[list[str]]:
    """Cells of the first table under a heading."""
    table = README.partition(f"\n### {title}\n")[2].partition("\n| --- ")[2].partition("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:] if line
    ]


def settings() -> dict[str, object]:
    """Name in the environment -> default."""
    return {
        str(field.validation_alias or f"{PREFIX}{name.upper()}"): field.default
        for name, field in Settings.model_fields.items()
    }


def test_every_setting_is_in_the_table_and_no_other() -> None:
    listed = [name for row in rows("Environment") for name in re.findall(r"`([A-Z_]+)`", row[0])]
    assert sorted(listed) == sorted(settings())


def test_the_defaults_are_those_of_the_settings() -> None:
    for row in rows("Environment"):
        (name, *others) = re.findall(r"`([A-Z_]+)`", row[0])
        default = settings()[name]
        shown = row[1].strip("` ")
        if not others and default not in (None, ()):
            number = isinstance(default, int | float)
            assert (float(shown) == default) if number else (shown == str(default)), name


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.splitlines()[0])
def test_the_examples_of_organizations_can_be_loaded(block: str, tmp_path: Path) -> None:
    path = tmp_path / "organizations.toml"
    path.write_text(block, encoding="utf-8")
    assert len(load_organizations(path)) == 1


def test_the_example_is_the_one_of_deploy() -> None:
    example = (ROOT / "deploy" / "organizations.example.toml").read_text(encoding="utf-8")
    lines = {line for line in example.splitlines() if line and not line.startswith("#")}
    assert any(lines <= set(block.splitlines()) for block in blocks("toml"))


def calls() -> set[tuple[str, str]]:
    """(method, path) of every curl line."""
    found = set()
    for line in "\n".join(blocks("sh")).splitlines():
        if line.startswith("curl") and (path := re.search(r"(?:\$API|localhost:3001)(/[^\s\"'?]*)", line)):
            method = re.search(r"-X (\w+)", line)
            found.add((method.group(1) if method else "POST" if " -d " in line else "GET", path.group(1)))
    return found


def routes_of(method: str, path: str) -> set[tuple[str, str]]:
    return {
        (route.method, route.path)
        for route in ROUTE_TABLE
        if route.method == method
        and (route.path == path or re.fullmatch(re.sub(r"{\w+}", "[^/]+", route.path), path))
    }


@pytest.mark.parametrize(("method", "path"), sorted(calls()))
def test_every_call_shown_is_a_route(method: str, path: str) -> None:
    assert routes_of(method, path)


def test_every_route_is_shown() -> None:
    shown = {route for call in calls() for route in routes_of(*call)}
    assert {(route.method, route.path) for route in ROUTE_TABLE} - shown == NOT_FOR_CALLERS


def test_every_command_and_no_other_is_named() -> None:
    named = set(
        re.findall(r"\beconeura ([a-z]+)\b", README.partition("## Command line")[2].partition("## ")[0])
    )
    assert named == set(COMMANDS)


def test_the_schedule_is_that_of_the_jobs() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", README, flags=re.MULTILINE))
    assert {name: table.get(name) for name in SCHEDULED_JOBS} == {
        name: job.schedule for name, job in SCHEDULED_JOBS.items()
    }


def test_every_target_of_make_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", "\n".join(blocks("sh")), flags=re.MULTILINE)) <= targets


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README):
        assert (ROOT / target).exists(), target
    titles = re.findall(r"^#+ (.+)$", README, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors
