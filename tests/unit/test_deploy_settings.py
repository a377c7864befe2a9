"""What deploy/ sets in the environment is what the settings know, and times and limits fit each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workers.broker.keys import PRIORITIES, Keys
from workers.organizations import load_organizations
from workers.settings import PREFIX, Settings

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
OF_OTHERS = re.compile(r"^(GF_|PIP_|PYTHON)")
ASSIGNED = re.compile(r"^\s*([A-Z][A-Z0-9_]+)(?:: |=)", flags=re.MULTILINE)
# The supervisor waits so much longer than the grace before it kills (workers/programs.py).
MARGIN_S = 5


def names_of_settings() -> set[str]:
    names = {
        str(field.validation_alias or f"{PREFIX}{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
    return names | {f"{name}_FILE" for name in names}


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def environment_of_image() -> set[str]:
    block = read("Dockerfile").partition("ENV PATH")[2].partition("\nUSER")[0]
    return set(re.findall(r"\b([A-Z_]+)=", block)) - {"PATH"}


def overlays() -> list[Path]:
    return sorted(path for path in (DEPLOY / "kubernetes" / "overlays").iterdir() if path.is_dir())


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("image", environment_of_image()),
        ("compose", set(ASSIGNED.findall(read("compose.yaml")))),
        ("kubernetes", set(ASSIGNED.findall(read("kubernetes/base/settings.env")))),
        *(
            (path.name, set(re.findall(r"literals: \[([A-Z_]+)=", (path / "kustomization.yaml").read_text())))
            for path in overlays()
        ),
    ],
)
def test_only_settings_that_exist_are_set(place: str, names: set[str]) -> None:
    assert names or place not in ("image", "compose", "kubernetes")
    assert {name for name in names if not OF_OTHERS.match(name)} - names_of_settings() == set()


def test_a_container_is_left_longer_to_end_than_it_asks_for() -> None:
    compose = read("compose.yaml")
    asked = re.search(r'ECONEURA_SHUTDOWN_GRACE_S: "(\d+)"', compose)
    given = re.search(r"stop_grace_period: (\d+)s", compose.partition("x-metrics-port-check")[0])
    assert asked
    assert given
    assert int(given.group(1)) > int(asked.group(1)) + MARGIN_S


@pytest.mark.parametrize("process", ["api", "worker", "scheduler"])
def test_a_pod_is_left_longer_to_end_than_it_asks_for(process: str) -> None:
    asked = re.search(r"ECONEURA_SHUTDOWN_GRACE_S=(\d+)", read("kubernetes/base/settings.env"))
    manifest = read(f"kubernetes/base/{process}.yaml")
    given = re.search(r"terminationGracePeriodSeconds: (\d+)", manifest)
    before = re.search(r'command: \[sleep, "(\d+)"\]', manifest)
    assert asked
    assert given
    waits_s = int(before.group(1)) if before else 0
    assert int(given.group(1)) > waits_s + int(asked.group(1)) + MARGIN_S


@pytest.mark.parametrize(
    ("place", "limit"),
    [
        ("compose.yaml", r"MEMORY_LIMIT_MB: \"(\d+)\"[^~]*?memory: (\d+)m"),
        ("kubernetes/base/worker.yaml", r"limits: { memory: ()(\d+)Mi"),
    ],
)
def test_a_worker_replaces_itself_before_it_is_killed(place: str, limit: str) -> None:
    found = re.search(limit, read(place))
    assert found
    own_mb = int(found.group(1) or Settings.model_fields["worker_memory_limit_mb"].default)
    assert int(found.group(2)) >= own_mb * 1.3


def test_workers_are_scaled_by_the_lists_in_which_messages_wait() -> None:
    scaling = read("kubernetes/components/autoscaling/worker-scaling.yaml")
    keys = Keys(str(Settings.model_fields["namespace"].default))
    assert re.findall(r'listName: "([^"]+)"', scaling) == [keys[f"ready:{name}"] for name in PRIORITIES]
    assert f"formula: {' + '.join(PRIORITIES)}," in scaling


@pytest.mark.parametrize("place", ["organizations.example.toml", "kubernetes/base/organizations.toml"])
def test_the_examples_of_organizations_can_be_loaded(place: str) -> None:
    organizations = list(load_organizations(DEPLOY / place))
    assert [organization.id for organization in organizations] == ["org_456"]
    # What somebody starts without reading it must not send anything.
    assert organizations[0].mode in ("observe", "draft")


def test_images_are_of_exact_versions() -> None:
    named = [
        (path.name, image)
        for path in (*DEPLOY.rglob("*.yaml"), DEPLOY / "Dockerfile")
        for image in re.findall(r"(?:^|\s)(?:image: |PYTHON_IMAGE=)(\S+)", path.read_text(encoding="utf-8"))
    ]
    assert len(named) > 6
    ours = {"econeura-workers"}
    assert [
        (place, image)
        for place, image in named
        if image not in ours and not re.search(r":v?\d+\.\d+\.\d+", image)
    ] == []
