"""The certificates we trust towards Graph and its login service."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """An SSL context of the system's authorities and, where given, one more of the operator's."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def blocking_session(ca_file: Path | None, *, timeout_s: float) -> requests.Session:
    """A requests session for msal, whose own has no time limit and obeys REQUESTS_CA_BUNDLE."""
    session = requests.Session()
    session.trust_env = False
    # Tokens and keys are fetched once an hour: no connection is worth keeping.
    session.headers["Connection"] = "close"
    session.mount("https://", _LimitedAdapter(trust(ca_file), timeout_s))
    return session


class _LimitedAdapter(HTTPAdapter):
    """Our trust and a time limit on every request of a session."""

    def __init__(self, context: ssl.SSLContext, timeout_s: float) -> None:
        self._context = context
        self._timeout_s = timeout_s
        # urllib3 would sleep for as long as a Retry-After says; that is ours to decide.
        super().__init__(max_retries=Retry(total=1, read=False, respect_retry_after_header=False))

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=self._context)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        options["timeout"] = options.get("timeout") or self._timeout_s
        return super().send(request, *args, **options)
