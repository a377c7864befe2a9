"""TCP ports: whether one can be listened on, and finding one that can."""

from __future__ import annotations

import socket

from workers.errors import SettingsError


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now; raises SettingsError for a host that is not this machine's."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as unknown:
        raise SettingsError(f"HOST: cannot resolve {host}: {unknown.strerror}") from None
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
        return True


def require_free(host: str, port: int) -> None:
    """Raise SettingsError where something listens already."""
    if not is_free(host, port):
        raise SettingsError(
            f"PORT: cannot listen on {host} port {port}, something else does: set another PORT"
        )


def any_free(host: str) -> int:
    """A port on which nothing listens now."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])
