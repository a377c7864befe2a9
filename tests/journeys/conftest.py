"""A sandbox Graph and the service for journeys, each test with its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.graph_description import FILE, Description
from tests.journeys.service import Service
from tests.sandbox_process import SandboxProcess

StartSandbox = Callable[..., SandboxProcess]
StartService = Callable[..., Service]


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[StartSandbox]:
    """Start a sandbox with these command-line arguments; stopped after the test."""
    started: list[SandboxProcess] = []

    def start(*arguments: str) -> SandboxProcess:
        sandbox = SandboxProcess(tmp_path / f"sandbox-{len(started)}", *arguments).start()
        started.append(sandbox)
        return sandbox

    yield start
    for sandbox in started:
        if FILE.is_file():
            Description.read().check_calls(sandbox)
        sandbox.stop()


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Start the service against a sandbox; whatever is left of it is killed after the test."""
    started: list[Service] = []

    def start(sandbox: SandboxProcess, **options: Any) -> Service:
        service = Service(tmp_path / f"service-{len(started)}", sandbox, **options)
        started.append(service)
        return service.start()

    yield start
    for service in started:
        service.kill()
