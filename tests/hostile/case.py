"""One hostile request: its bytes, and the answers that are clean."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KEY = b"{{KEY}}"
"""Stands for the API key of the server under test."""
CLOSED = 0
"""Stands for a connection that is closed without an answer."""


@dataclass(frozen=True)
class Case:
    """Pieces of bytes sent one after the other, and the statuses with which that may be answered."""

    name: str
    pieces: tuple[bytes, ...]
    statuses: frozenset[int]
    ends: bool = False
    """The client shuts its side down after the last piece."""


def raw(name: str, *pieces: bytes, expect: Iterable[int] = (400,), ends: bool = False) -> Case:
    """These very bytes."""
    return Case(name, pieces, frozenset(expect), ends)


def request(
    name: str,
    method: str,
    target: str | bytes,
    *,
    body: bytes = b"",
    headers: Mapping[str, str | bytes] | None = None,
    expect: Iterable[int],
    with_key: bool = True,
) -> Case:
    """A request that is well-formed as HTTP; what is hostile is what it says."""
    lines = {
        "Host": "localhost",
        **({"Authorization": b"Bearer " + KEY} if with_key else {}),
        **({"Content-Type": "application/json", "Content-Length": str(len(body))} if body else {}),
        **(headers or {}),
    }
    head = b" ".join((method.encode(), _bytes(target), b"HTTP/1.1\r\n"))
    head += b"".join(name.encode() + b": " + _bytes(value) + b"\r\n" for name, value in lines.items())
    return Case(name, (head + b"\r\n" + body,), frozenset(expect))


def post(
    name: str,
    path: str,
    content: Any,
    *,
    expect: Iterable[int] = (422,),
    headers: Mapping[str, str | bytes] | None = None,
    method: str = "POST",
) -> Case:
    """A JSON body: bytes as they are, anything else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return request(name, method, path, body=body, headers=headers, expect=expect)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
