"""GET /metrics and /health/live on a host that runs no api, only workers or a scheduler.

It holds no mail, no id and no address, asks for no key and changes nothing; it exists only where
ECONEURA_METRICS_PORT is set.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from workers import logs, metrics
from workers.errors import SettingsError

_log = logs.get_logger("metrics")
_MEDIA = "text/plain; version=0.0.4; charset=utf-8"
# A scraper that sends nothing must not keep its thread.
_REQUEST_S = 10.0


@contextmanager
def serving(host: str, port: int) -> Iterator[int]:
    """Serve in threads of their own while this block lasts; gives the port (a free one for 0).

    Raises SettingsError where it cannot listen.
    """
    try:
        server = _Server((host, port), _Page)
    except OSError as refused:
        raise SettingsError(
            f"ECONEURA_METRICS_PORT: cannot listen on {host} port {port}: {refused.strerror}"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # An end of the process does not wait for a scraper.
    block_on_close = False


class _Page(BaseHTTPRequestHandler):
    timeout = _REQUEST_S
    server_version = "econeura"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, metrics.exposition(), _MEDIA)
        elif path == "/health/live":
            self._answer(200, b"alive\n", "text/plain")
        else:
            self._answer(404, b"/metrics and /health/live are here\n", "text/plain")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class' name for it
        _log.debug("request", path=self.path)

    def _answer(self, status: int, body: bytes, media: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
