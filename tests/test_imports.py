"""Imports point one way: api, actors, pipeline, then graph | analysis | store | broker, then settings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOUNDATION = {
    "workers.settings",
    "workers.organizations",
    "workers.errors",
    "workers.logs",
    "workers.redaction",
    "workers.tracing",
    "workers.metrics",
    "workers.jobs",
    "workers.job_tables",
    "workers.clock",
    "workers.ids",
    "workers.cron",
    "workers.redis_clients",
    "workers.redis_records",
    "workers.scopes",
}
PARTS = {"workers.graph", "workers.analysis", "workers.store", "workers.broker"}
ENTRY = {"workers.__main__", "workers.commands"}
ALLOWED: dict[str, set[str]] = {
    "api": {"api", "actors", "workers"},
    "actors": {"actors", "workers"},
    "workers.sandbox": {"workers.sandbox"},
    "workers.decisions": {"workers.analysis"} | FOUNDATION,
    "workers.supervisor": {"workers.supervisor", "workers.broker.leases"} | FOUNDATION,
    **{part: {part} | FOUNDATION for part in PARTS},
    **dict.fromkeys(FOUNDATION, FOUNDATION),
}


def modules() -> list[tuple[str, Path]]:
    """Every module of ours and its file."""
    found = []
    for top in ("workers", "actors", "api"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in ("workers", "actors", "api")}


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def rule_for(module: str) -> set[str] | None:
    owner = max((rule for rule in ALLOWED if within(module, {rule})), key=len, default=None)
    return None if owner is None else ALLOWED[owner]


def forbidden(module: str, names: set[str]) -> set[str]:
    if within(module, ENTRY):
        return set()
    allowed = rule_for(module)
    if allowed is None:
        # Between the parts and the doors: pipeline, reports and the like introduce the parts to each other.
        return {name for name in names if within(name, {"api", "actors", "workers.sandbox"} | ENTRY)}
    packages = {name for name in names if name not in {"workers", "actors", "api"}}
    above = {name for name in packages if within(name, ENTRY)}
    return {name for name in packages if not within(name, allowed)} | above


# Parsed at collection: while tests run, a collected task's traceback may parse in the middle of our parse,
# which CPython 3.11 answers with a SystemError (python/cpython#106905).
IMPORTED = {module: imported(path) for module, path in modules()}


@pytest.mark.parametrize("module", IMPORTED)
def test_imports_point_one_way(module: str) -> None:
    assert forbidden(module, IMPORTED[module]) == set()


def test_the_rule_catches_a_part_that_imports_another() -> None:
    assert forbidden("workers.graph.client", {"workers.store.ledger"}) == {"workers.store.ledger"}
    assert forbidden("workers.pipeline", {"actors.mail"}) == {"actors.mail"}
    assert forbidden("workers.sandbox.server", {"workers.errors"}) == {"workers.errors"}


def test_only_settings_reads_the_environment() -> None:
    readers = {
        module
        for module, path in modules()
        if not module.startswith("workers.sandbox")
        and ("os.environ" in path.read_text(encoding="utf-8") or "getenv" in path.read_text(encoding="utf-8"))
    }
    assert readers == {"workers.settings"}
