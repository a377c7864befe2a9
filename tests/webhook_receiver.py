"""A webhook of a customer's: an HTTP server of its own that keeps what it is told and answers as asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback_server import serving
from tests.waiting import wait_for


@dataclass(frozen=True)
class Heard:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content

    @property
    def type(self) -> str:
        return str(self.event["type"])

    @property
    def data(self) -> dict[str, Any]:
        content: dict[str, Any] = self.event["data"]
        return content


Answer = tuple[int, dict[str, str], bytes]


class Receiver:
    """What was heard so far; `answer` says how each request is answered, and may block."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answer: Callable[[Heard], Answer] = lambda _: (204, {}, b"")
        self.url = ""

    def of_type(self, kind: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.type == kind]

    def wait_for(self, kind: str, count: int, *, timeout_s: float = 30) -> list[Heard]:
        """The requests of this type, once there are so many."""
        wait_for(lambda: len(self.of_type(kind)) >= count, timeout_s=timeout_s, what=f"{count} times {kind}")
        return self.of_type(kind)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on loopback, for the length of a block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            heard = Heard(self.path, headers, self.rfile.read(length))
            receiver.heard.append(heard)
            status, more, body = receiver.answer(heard)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Nothing on the test's output."""

    with serving(Handler) as receiver.url:
        yield receiver
