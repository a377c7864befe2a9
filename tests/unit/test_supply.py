"""What the service is built from: every package locked by hash, from nowhere in particular, and listed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from referencing import Registry, Resource

ROOT = Path(__file__).parent.parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", flags=re.MULTILINE)


def text_of(lock: str) -> str:
    return (ROOT / lock).read_text(encoding="utf-8")


def locked(lock: str) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for name, version in PIN.findall(text_of(lock)):
        versions.setdefault(name, set()).add(version)
    return versions


def asked_for(lock: str) -> list[Requirement]:
    """What pyproject.toml asks for and this lock must therefore hold."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *groups["build"], *extras["demo"]]
    if lock == "requirements-dev.lock":
        wanted += [*groups["dev"], *(line for lines in extras.values() for line in lines)]
    return [Requirement(line) for line in wanted]


@pytest.fixture(scope="module")
def sbom() -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "deploy" / "sbom.py"), str(ROOT / "requirements.lock")]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    content: dict[str, Any] = json.loads(made.stdout)
    return content


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_locked_by_hash_and_none_by_its_place(lock: str) -> None:
    packages = re.split(r"^(?=[A-Za-z0-9])", text_of(lock), flags=re.MULTILINE)[1:]
    assert len(packages) > 30
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []
    assert not re.search(r"https?://|--index-url|--find-links", text_of(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_holds_what_the_project_asks_for(lock: str) -> None:
    versions = locked(lock)
    for wanted in asked_for(lock):
        found = versions.get(canonicalize_name(wanted.name), set())
        assert found, f"{lock} lacks {wanted.name}: make lock"
        assert all(wanted.specifier.contains(version) for version in found), f"{wanted}: make lock"


def test_what_is_tested_is_what_is_shipped() -> None:
    shipped, tested = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: tested.get(name) for name in shipped} == shipped


def test_the_bill_of_materials_is_cyclonedx(sbom: dict[str, Any]) -> None:
    schemas = resources.files("cyclonedx.schema") / "_res"

    def schema(name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((schemas / f"{name}.SNAPSHOT.schema.json").read_text("utf-8"))
        return content

    registry = Registry().with_resources(
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", Resource.from_contents(schema(name)))
        for name in ("spdx", "jsf-0.82")
    )
    jsonschema.Draft7Validator(schema("bom-1.6"), registry=registry).validate(sbom)


def test_the_bill_of_materials_lists_all_that_is_locked(sbom: dict[str, Any]) -> None:
    listed = {(one["name"], one["version"]) for one in sbom["components"]}
    assert listed == set(PIN.findall(text_of("requirements.lock")))
    hashes = [
        hash_["content"] for one in sbom["components"] for hash_ in one["externalReferences"][0]["hashes"]
    ]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", text_of("requirements.lock")))


def test_the_bill_of_materials_says_who_needs_what(sbom: dict[str, Any]) -> None:
    needs = {one["ref"]: one["dependsOn"] for one in sbom["dependencies"]}
    root = sbom["metadata"]["component"]["bom-ref"]
    direct = {url.removeprefix("pkg:pypi/").partition("@")[0] for url in needs[root]}
    own = {canonicalize_name(Requirement(line).name) for line in PROJECT["project"]["dependencies"]}
    assert own <= direct
    reached, todo = set(), [root]
    while todo:
        ref = todo.pop()
        todo += [url for url in needs[ref] if url not in reached]
        reached |= set(needs[ref])
    assert reached == {one["bom-ref"] for one in sbom["components"]}


@pytest.mark.parametrize("top", ["workers", "actors", "api", "deploy"])
def test_what_the_security_rules_are_not_asked_of_has_its_reason(top: str) -> None:
    silenced = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / top).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"# noqa: S\d+\s*$", line)
    ]
    assert silenced == []
