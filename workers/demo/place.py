"""Where a demo happens: its data directory, port, namespace and log, apart from those of any real service."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import IO

from workers import ports
from workers.demo.organization import write_organization
from workers.demo.sandbox_process import SandboxRun
from workers.errors import SettingsError
from workers.settings import Settings, load_settings, set_process_environment

_HOST = "127.0.0.1"
_MARK = "this-is-a-demo"


@dataclass
class Place:
    """The demo's settings and log (None: standard error takes it). `succeeded` decides if the log is kept."""

    settings: Settings
    log: IO[bytes] | None
    greeting: str
    succeeded: bool = False

    def configure(self, sandbox: SandboxRun) -> None:
        """Let the processes that start from now on work for the sandbox's mailboxes."""
        set_process_environment(
            ECONEURA_ORGANIZATIONS=str(write_organization(self.settings.data_dir, sandbox)),
            ECONEURA_GRAPH_URL=sandbox.url,
            ECONEURA_LOGIN_URL=sandbox.login_url,
            ECONEURA_CA_FILE=sandbox.ca_file,
            # Its mailboxes send as much as they like: nobody should watch a demo wait for Exchange's limit.
            ECONEURA_GRAPH_SENDS_PER_MINUTE="100000",
        )


@contextmanager
def place_of_demo(port: int | None) -> Iterator[Place]:
    """Choose a place and put it into the environment of this process and those it starts.

    Raises SettingsError where ECONEURA_DATA_DIR holds the data of a real service.
    """
    configured = load_settings()
    wanted = configured.port if port is None else port
    chosen = wanted if wanted and ports.is_free(_HOST, wanted) else ports.any_free(_HOST)
    keeps_data = "data_dir" in configured.model_fields_set
    with ExitStack() as stack:
        directory = (
            _marked(configured.data_dir) if keeps_data else stack.enter_context(_temporary_directory())
        )
        namespace = configured.namespace
        if configured.redis_url or configured.redis_host:
            # That Redis may be a real service's: nothing of it may be mixed up with the demo.
            namespace += "-demo" if keeps_data else f"-demo-{token_hex(4)}"
        set_process_environment(
            HOST=_HOST,
            PORT=str(chosen),
            ECONEURA_PUBLIC_URL=f"http://{_HOST}:{chosen}",
            ECONEURA_TLS_CERT_FILE="",
            ECONEURA_TLS_KEY_FILE="",
            ECONEURA_DATA_DIR=str(directory),
            ECONEURA_NAMESPACE=namespace,
            ECONEURA_LOG_LEVEL=configured.log_level
            if "log_level" in configured.model_fields_set
            else "warning",
        )
        greeting = f"ECONEURA demo on http://{_HOST}:{chosen}"
        if wanted not in (0, chosen):
            greeting += f" (port {wanted} is in use)"
        log = None
        if sys.stderr.isatty():
            # A log would tear the table on the same terminal.
            log = stack.enter_context((directory / "demo.log").open("ab", buffering=0))
        place = Place(load_settings(), log, greeting)
        stack.enter_context(_log_kept(place, directory))
        yield place


@contextmanager
def _temporary_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="econeura-demo-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _marked(directory: Path) -> Path:
    mark = directory.absolute() / _MARK
    if not mark.exists() and (directory / "redis").exists():
        raise SettingsError(
            f"ECONEURA_DATA_DIR: {directory} holds the data of a service, and a demo would empty it: "
            "unset ECONEURA_DATA_DIR, or set it to another directory"
        )
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return mark.parent


@contextmanager
def _log_kept(place: Place, directory: Path) -> Iterator[None]:
    """Send our own log where the others' goes, and leave it to the reader if the demo failed."""
    if place.log is None:
        yield
        return
    path = directory / "demo.log"
    try:
        with path.open("a", buffering=1) as log, redirect_stderr(log):
            yield
    finally:
        if not place.succeeded:
            with tempfile.NamedTemporaryFile(prefix="econeura-demo-", suffix=".log", delete=False) as kept:
                kept.write(path.read_bytes())
            sys.stderr.write(f"econeura: the log of the demo is {kept.name}\n")
