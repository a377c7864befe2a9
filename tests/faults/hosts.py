"""Hosts with addresses of their own on one machine: network namespaces on a bridge (Linux, needs root)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_NAME = f"eco{os.getpid()}"
_LAN = f"{_NAME}-lan"
# Of the networks for benchmarks (RFC 2544): no machine has an address in it for anything else.
_NETWORK = f"198.18.{os.getpid() % 256}"


def why_not() -> str:
    """What keeps this machine from having such hosts, "" where nothing does."""
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    tried = subprocess.run(
        ["ip", "netns", "add", f"{_NAME}-try"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        return f"no network namespaces: {tried.stderr.strip()}"
    _ip("netns", "delete", f"{_NAME}-try")
    return ""


class Host:
    """One of them: what is started there sees its network alone."""

    def __init__(self, number: int, name: str) -> None:
        self.address = f"{_NETWORK}.{number}"
        self._port = f"port{number}"
        self._namespace = f"{_NAME}-{name}"

    def start(self, *command: str, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                ["ip", "netns", "exec", self._namespace, *command], env=env, stderr=output, stdout=output
            )

    def set(self, name: str, value: str) -> None:
        """Set a parameter of its network (sysctl)."""
        _ip("netns", "exec", self._namespace, "sysctl", "-q", "-w", f"{name}={value}")

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Pull its plug for the length of the block: nothing arrives, and no connection is told."""
        _ip("-n", _LAN, "link", "set", self._port, "down")
        try:
            yield
        finally:
            _ip("-n", _LAN, "link", "set", self._port, "up")


class Network:
    """`here` is the address of this machine in it."""

    here = f"{_NETWORK}.1"

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}

    def host(self, name: str) -> Host:
        """A new host."""
        number = len(self._hosts) + 2
        host = self._hosts[name] = Host(number, name)
        namespace = f"{_NAME}-{name}"
        _ip("netns", "add", namespace)
        _ip("link", "add", "net0", "netns", namespace, "type", "veth", "peer", f"port{number}", "netns", _LAN)
        _ip("-n", _LAN, "link", "set", f"port{number}", "master", "bridge", "up")
        _ip("-n", namespace, "address", "add", f"{host.address}/24", "dev", "net0")
        _ip("-n", namespace, "link", "set", "net0", "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        return host

    def close(self) -> None:
        """Take all of it away; processes of its hosts must have ended."""
        for name in (*self._hosts, "lan"):
            subprocess.run(["ip", "netns", "delete", f"{_NAME}-{name}"], check=False)


@contextmanager
def network() -> Iterator[Network]:
    """A network without hosts, with this machine in it."""
    found = Network()
    _ip("netns", "add", _LAN)
    try:
        _ip("-n", _LAN, "link", "add", "bridge", "type", "bridge")
        _ip("-n", _LAN, "link", "set", "bridge", "up")
        _ip("link", "add", _NAME, "type", "veth", "peer", "port1", "netns", _LAN)
        _ip("-n", _LAN, "link", "set", "port1", "master", "bridge", "up")
        _ip("address", "add", f"{found.here}/24", "dev", _NAME)
        _ip("link", "set", _NAME, "up")
        yield found
    finally:
        found.close()


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
