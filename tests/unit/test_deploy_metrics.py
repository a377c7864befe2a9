"""Alerts and the dashboard speak of metrics and labels that exist, and every alert is explained."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from workers import metrics

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
ALERTS = (DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8")
OF_PROMETHEUS = {"job", "instance"}
PROMTOOL = shutil.which("promtool")
# What Grafana puts in before it asks.
VARIABLE = re.compile(r"\$\{?(\w+)\}?")
STANDS_FOR = {"__rate_interval": "5m", "organization": ".+"}
METRIC = re.compile(r"\b(econeura_[a-z_]+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without) \(([^)]*)\)")


def declared() -> dict[str, set[str]]:
    """Every name that /metrics may show -> its labels."""
    names: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            labels = set(metric._labelnames)
            if isinstance(metric, Counter):
                names[f"{metric._name}_total"] = labels
            elif isinstance(metric, Gauge):
                names[metric._name] = labels
            else:
                names |= {f"{metric._name}_{part}": labels for part in ("sum", "count")}
                names[f"{metric._name}_bucket"] = labels | {"le"}
    return names


def wrong_in(expression: str) -> list[str]:
    """Metrics and labels of an expression that nobody ever sets."""
    known = declared()
    wrong, labels = [], set(OF_PROMETHEUS)
    for name, selector in METRIC.findall(expression):
        wrong += [name] if name not in known else []
        mine = known.get(name, set()) | OF_PROMETHEUS
        labels |= mine
        wrong += [f"{name}{{{label}}}" for label in LABEL.findall(selector) if label not in mine]
    for group in GROUPING.findall(expression):
        wrong += [f"by {label}" for label in re.split(r",\s*", group) if label not in labels]
    return wrong


def expressions_of_dashboard() -> dict[str, str]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "econeura.json").read_text(encoding="utf-8"))
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    }


def expressions_of_alerts() -> dict[str, str]:
    found = re.split(r"^ {6}- alert: ", ALERTS, flags=re.MULTILINE)[1:]
    return {
        name.strip(): re.split(r"^ {8}(?:for|labels):", rest.partition("expr:")[2], flags=re.MULTILINE)[0]
        for name, _, rest in (alert.partition("\n") for alert in found)
    }


@pytest.mark.parametrize(
    ("place", "expression"), [*expressions_of_alerts().items(), *expressions_of_dashboard().items()]
)
def test_what_is_asked_for_exists(place: str, expression: str) -> None:
    assert "econeura" in expression, place
    assert wrong_in(expression) == []


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (of Prometheus) is not installed")
def test_prometheus_takes_its_files_and_each_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": VARIABLE.sub(lambda found: STANDS_FOR[found[1]], expression)}
        for number, expression in enumerate(expressions_of_dashboard().values())
    ]
    asked = tmp_path / "dashboard.yaml"
    asked.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    folder = DEPLOY / "prometheus"
    for words in (
        ("rules", folder / "alerts.yaml", asked),
        ("config", "--syntax-only", folder / "prometheus.yaml"),
    ):
        done = subprocess.run(
            [str(PROMTOOL), "check", *map(str, words)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_metric_or_label_that_does_not_exist_is_found() -> None:
    assert wrong_in("rate(econeura_mails_total[5m])") == ["econeura_mails_total"]
    assert wrong_in('econeura_jobs_processed_total{actor="x"}') == ["econeura_jobs_processed_total{actor}"]
    assert wrong_in("sum by (priority) (econeura_job_queue_size)") == ["by priority"]
    assert wrong_in("econeura_job_duration_seconds") == ["econeura_job_duration_seconds"]


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expressions_of_dashboard().values())
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in declared()}
    assert sorted(family for family in families if family not in shown) == []


def sections() -> dict[str, str]:
    alerts = RUNBOOK.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    return dict(part.split("\n", 1) for part in alerts.split("\n### ")[1:])


def test_every_alert_has_its_section_in_the_runbook_and_no_other_is_there() -> None:
    assert set(sections()) == set(expressions_of_alerts())


@pytest.mark.parametrize("alert", expressions_of_alerts())
def test_the_runbook_says_meaning_first_look_and_fix(alert: str) -> None:
    for part in ("**Means**:", "**Look**:", "**Do**:"):
        assert part in sections()[alert]


def test_links_inside_the_runbook_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", RUNBOOK, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


def test_alerts_are_sorted_by_who_is_woken() -> None:
    severities = re.findall(r"severity: (\w+)", ALERTS)
    assert len(severities) == len(expressions_of_alerts())
    assert set(severities) == {"page", "ticket"}
