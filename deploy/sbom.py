"""Writes what the service is made of, from the lock alone, as CycloneDX 1.6 (https://cyclonedx.org).

make sbom          (or: python deploy/sbom.py requirements.lock > sbom.json)
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\$")
_HASH = re.compile(r"^    --hash=sha256:(?P<digest>[0-9a-f]{64})")
_VIA = re.compile(r"^    # (?:via )?(?:  )?(?P<name>[A-Za-z0-9._-]+)(?: \(pyproject\.toml\S*\))?$")


@dataclass
class Pin:
    """A package of the lock: which version, for which machines, by which hashes, wanted by whom."""

    name: str
    version: str
    marker: str | None
    digests: list[str] = field(default_factory=list)
    wanted_by: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The package as a purl (https://github.com/package-url/purl-spec)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pins_of(lock: str) -> list[Pin]:
    """All packages of a lock file as `uv pip compile` writes it."""
    pins: list[Pin] = []
    for line in lock.splitlines():
        if found := _PIN.match(line):
            pins.append(Pin(found["name"], found["version"], found["marker"]))
        elif found := _HASH.match(line):
            pins[-1].digests.append(found["digest"])
        elif (found := _VIA.match(line)) and found["name"] != "via":
            pins[-1].wanted_by.add(found["name"])
    return pins


def document(lock: str, project: dict[str, Any], *, made_at: datetime) -> dict[str, Any]:
    """The CycloneDX document of a project (the table of pyproject.toml) with these locked packages."""
    pins, root = pins_of(lock), f"pkg:pypi/{project['name']}@{project['version']}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid5(NAMESPACE_URL, root + lock).urn,
        "version": 1,
        "metadata": {
            "timestamp": made_at.isoformat(timespec="seconds"),
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": project["name"],
                "version": project["version"],
                "purl": root,
                "licenses": [{"license": {"id": project["license"]}}],
            },
        },
        "components": [_component(pin) for pin in pins],
        "dependencies": [
            {"ref": root, "dependsOn": _needs(project["name"], pins)},
            *({"ref": pin.url, "dependsOn": _needs(pin.name, pins)} for pin in pins),
        ],
    }


def _component(pin: Pin) -> dict[str, Any]:
    # One file of these is installed; which one depends on the machine.
    files = [{"alg": "SHA-256", "content": digest} for digest in pin.digests]
    component = {
        "type": "library",
        "bom-ref": pin.url,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.url,
        "externalReferences": [{"type": "distribution", "url": pin.url, "hashes": files}],
    }
    if pin.marker is not None:
        component["properties"] = [{"name": "econeura:python:marker", "value": pin.marker}]
    return component


def _needs(name: str, pins: list[Pin]) -> list[str]:
    return [pin.url for pin in pins if name in pin.wanted_by]


def main() -> None:
    lock = Path(sys.argv[1])
    project = tomllib.loads((lock.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = document(lock.read_text(encoding="utf-8"), project, made_at=datetime.now(UTC))
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
