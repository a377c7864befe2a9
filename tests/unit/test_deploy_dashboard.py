"""The dashboard as Grafana takes it: no package of Grafana is there to show it, so its form is checked."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).parent.parent.parent / "deploy" / "grafana" / "dashboards" / "econeura.json"
_OF_GRAFANA = re.compile(r"__\w+")
_WIDTH = 24
Panel = dict[str, Any]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def panels() -> list[Panel]:
    return list(dashboard()["panels"])


def overlap(one: Panel, other: Panel) -> bool:
    a, b = one["gridPos"], other["gridPos"]
    return bool(
        a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    )


def test_it_is_a_dashboard_that_provisioning_takes() -> None:
    found = dashboard()
    assert found["uid"] and found["title"] and isinstance(found["schemaVersion"], int)
    assert "id" not in found, "Grafana gives ids itself"
    assert {"from", "to"} <= set(found["time"])


def test_each_panel_says_what_it_shows_in_a_place_of_its_own() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        place = panel["gridPos"]
        assert panel["title"] and panel["type"] in ("row", "stat", "timeseries"), panel["id"]
        assert place["w"] > 0 and place["h"] > 0 and 0 <= place["x"] <= _WIDTH - place["w"], panel["title"]
        if panel["type"] != "row":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    lying_upon = [(a["title"], b["title"]) for a, b in combinations(panels(), 2) if overlap(a, b)]
    assert lying_upon == []


def test_each_query_asks_the_chosen_prometheus_by_a_letter_of_its_own() -> None:
    for panel in panels():
        targets = panel.get("targets", [])
        assert targets or panel["type"] == "row", panel["title"]
        letters = [target["refId"] for target in targets]
        assert len(set(letters)) == len(letters), panel["title"]
        for target in targets:
            assert target["expr"].strip(), panel["title"]
            assert (
                target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            )


def test_every_variable_that_is_used_is_defined() -> None:
    text = DASHBOARD.read_text(encoding="utf-8")
    used = {name or braced for name, braced in re.findall(r"\$(\w+)|\$\{(\w+)", text)}
    defined = {variable["name"] for variable in dashboard()["templating"]["list"]}
    assert {name for name in used if not _OF_GRAFANA.fullmatch(name)} == defined
