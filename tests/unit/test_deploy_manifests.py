"""Manifests as Kubernetes and compose read them: complete, valid, locked down; skipped without the tools."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
OVERLAYS = sorted(path.name for path in (DEPLOY / "kubernetes" / "overlays").iterdir() if path.is_dir())
OF_KUBERNETES = "1.33"
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
Document = dict[str, Any]


@cache
def built(overlay: str) -> tuple[Document, ...]:
    """All documents of an overlay, as kubectl puts them together."""
    command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> list[Document]:
    return [document for document in built(overlay) if document["kind"] in kinds]


def pods(overlay: str) -> dict[str, Document]:
    """Name -> pod template, of everything that runs."""
    found = of_kind(overlay, "Deployment", "StatefulSet", "Job")
    return {document["metadata"]["name"]: document["spec"]["template"] for document in found}


def services() -> dict[str, Document]:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    found: dict[str, Document] = document["services"]
    return found


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_document_is_what_kubernetes_expects(overlay: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
        for document in built(overlay):
            # Kinds of KEDA and Prometheus are theirs.
            if document["apiVersion"].partition("/")[0] not in ("keda.sh", "monitoring.coreos.com"):
                validate.validate(document, OF_KUBERNETES, strict=True)


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_referred_to_is_there(overlay: str) -> None:
    made = {(one["kind"], one["metadata"]["name"]) for one in built(overlay)}
    made |= {("Secret", name) for name in secrets_of_the_runbook()}
    needed = set()
    for template in pods(overlay).values():
        spec = template["spec"]
        needed.add(("ServiceAccount", spec["serviceAccountName"]))
        for volume in spec.get("volumes", []):
            needed |= {("ConfigMap", volume["configMap"]["name"])} if "configMap" in volume else set()
            needed |= {("Secret", volume["secret"]["secretName"])} if "secret" in volume else set()
        for container in spec["containers"]:
            needed |= {("ConfigMap", one["configMapRef"]["name"]) for one in container.get("envFrom", [])}
    for scaler in of_kind(overlay, "HorizontalPodAutoscaler", "ScaledObject"):
        needed.add(("Deployment", scaler["spec"]["scaleTargetRef"]["name"]))
    for authentication in of_kind(overlay, "TriggerAuthentication"):
        needed |= {("Secret", one["name"]) for one in authentication["spec"]["secretTargetRef"]}
    assert needed - made == set()


def secrets_of_the_runbook() -> set[str]:
    text = (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8")
    return {
        line.split()[6]
        for line in text.splitlines()
        if "create secret generic" in line and "--dry" not in line
    }


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_pod_can_do_more_than_it_must(overlay: str) -> None:
    for name, template in pods(overlay).items():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        # Service links would put ECONEURA_API_PORT and REDIS_PORT into the environment.
        assert spec["enableServiceLinks"] is False, name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert "memory" in container["resources"]["limits"], name


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_behind_the_closed_door(overlay: str) -> None:
    (closed,) = (
        one for one in of_kind(overlay, "NetworkPolicy") if one["metadata"]["name"] == "econeura-closed"
    )
    assert closed["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in closed["spec"]
    wanted = closed["spec"]["podSelector"]["matchLabels"].items()
    for name, template in pods(overlay).items():
        assert wanted <= template["metadata"]["labels"].items(), name


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_processes_that_must_not_all_go_at_once_have_a_budget(overlay: str) -> None:
    budgets = {one["metadata"]["name"] for one in of_kind(overlay, "PodDisruptionBudget")}
    assert {"econeura-api", "econeura-worker", "econeura-scheduler"} <= budgets


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_the_webhook_is_reached_from_outside(overlay: str) -> None:
    (ingress,) = of_kind(overlay, "Ingress")
    paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    assert [(path["path"], path["pathType"]) for path in paths] == [("/listen", "Exact")]


def test_compose_starts_what_the_design_names() -> None:
    assert set(services()) == {"redis", "api", "worker", "scheduler", "prometheus", "grafana"}


@pytest.mark.parametrize("service", ["redis", "api", "worker", "scheduler", "prometheus", "grafana"])
def test_no_container_can_do_more_than_it_must(service: str) -> None:
    described = services()[service]
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert "memory" in described["deploy"]["resources"]["limits"]
    published = described.get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("process", ["api", "worker", "scheduler"])
def test_a_container_waits_for_redis_and_has_metrics_of_its_own(process: str) -> None:
    described = services()[process]
    assert described["depends_on"]["redis"]["condition"] == "service_healthy"
    assert described["command"] == [process]
    assert any(place.startswith("/var/lib/econeura/metrics:") for place in described["tmpfs"])


def test_compose_mounts_files_that_exist_or_are_made() -> None:
    sources = {
        mount.split(":")[0]
        for described in services().values()
        for mount in described.get("volumes", [])
        if mount.startswith("./")
    }
    # organizations.toml is copied from its example by whoever installs.
    missing = {source for source in sources if not (DEPLOY / source).exists()}
    assert missing <= {"./organizations.toml"}


def test_prometheus_asks_the_services_of_compose() -> None:
    text = (DEPLOY / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["scrape_configs"]
    asked = {job["job_name"]: job["dns_sd_configs"][0]["names"] for job in jobs}
    assert asked == {f"econeura-{name}": [name] for name in ("api", "worker", "scheduler")}
