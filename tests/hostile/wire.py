"""A raw connection to a server, and what comes back over it."""

from __future__ import annotations

import errno
import json
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass

from tests.hostile.case import CLOSED, KEY, Case

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Heard:
    """All bytes that came back, and how long after the last piece the answer was whole."""

    data: bytes
    took_s: float
    is_closed: bool

    @property
    def statuses(self) -> list[int]:
        """The final status of each answer; CLOSED alone where there was none."""
        found = [int(status) for status in _STATUS.findall(self.data)]
        return [status for status in found if status != 100] or [CLOSED]

    @property
    def error(self) -> dict[str, object]:
        """The envelope of the first answer, {} where it is none."""
        _, _, body = self.data.partition(b"\r\n\r\n")
        with suppress(ValueError):
            content, _ = json.JSONDecoder().raw_decode(body.decode(errors="replace"))
            return content if isinstance(content, dict) else {}
        return {}


def talk(port: int, case: Case, key: str, *, timeout_s: float = 20.0) -> Heard:
    """Send a case; returns when the answer is whole or the connection closed. Raises TimeoutError."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as wire:
        with suppress(ConnectionError):
            for number, piece in enumerate(case.pieces):
                if number:
                    # Separate segments: the server is to see one before the other.
                    time.sleep(0.01)
                wire.sendall(piece.replace(KEY, key.encode()))
            if case.ends:
                _end(wire)
        return _heard(wire)


def _end(wire: socket.socket) -> None:
    """Say that no more will come; the server may have heard enough, and hung up, before."""
    try:
        wire.shutdown(socket.SHUT_WR)
    except OSError as failed:
        if failed.errno != errno.ENOTCONN:
            raise


def _heard(wire: socket.socket) -> Heard:
    began, data = time.monotonic(), b""
    while not _is_whole(data) or _says_goodbye(data):
        try:
            chunk = wire.recv(65536)
        except ConnectionError:
            chunk = b""
        if not chunk:
            return Heard(data, time.monotonic() - began, True)
        data += chunk
    return Heard(data, time.monotonic() - began, False)


def _is_whole(data: bytes) -> bool:
    """Whether the first final answer is there with all of its body."""
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return False
    if head.startswith(b"HTTP/1.1 100"):
        return _is_whole(body)
    length = _LENGTH.search(head)
    return length is not None and len(body) >= int(length.group(1))


def _says_goodbye(data: bytes) -> bool:
    head = data.partition(b"\r\n\r\n")[0].lower()
    return head.startswith(b"http/1.0") or b"\r\nconnection: close" in head
