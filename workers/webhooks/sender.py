"""One POST to a webhook: within time, to an address that is allowed, and nothing of the answer kept."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from workers import __version__, metrics
from workers.webhooks.addresses import FORBIDDEN, Network, socket_factory
from workers.webhooks.pace import Pace

_AT_ONCE, _AT_ONCE_EACH = 24, 8
_LONGEST_RETRY_AFTER_S = 3600.0
_AGENT = f"ECONEURA-Workers/{__version__}"


@dataclass(frozen=True)
class Told:
    """How a try went: the status answered (0 where none came), what was wrong ("" if it was taken), and how
    long it took. `retry_after_s` is the webhook's own wish."""

    status: int
    problem: str
    duration_ms: int
    retry_after_s: float | None = None


class Sender:
    """The HTTP connections of a process to webhooks."""

    def __init__(self, sessions: Mapping[str, aiohttp.ClientSession], timeout_s: float) -> None:
        self._sessions = sessions
        self._timeout_s = timeout_s
        self._pace = Pace(_AT_ONCE, _AT_ONCE_EACH)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, trust: ssl.SSLContext, allowed: Sequence[Network], *, timeout_s: float = 15.0
    ) -> AsyncIterator[Sender]:
        """Open the process' connections, inside the event loop that will use them."""
        async with AsyncExitStack() as stack:
            sessions = {}
            # Clear text may only be spoken inside the operator's own networks.
            for scheme, also_public in (("https", True), ("http", False)):
                connector = aiohttp.TCPConnector(
                    ssl=trust,
                    limit=_AT_ONCE,
                    keepalive_timeout=30,
                    socket_factory=socket_factory(allowed, also_public=also_public),
                )
                session = aiohttp.ClientSession(
                    connector=connector,
                    timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s / 3),
                    cookie_jar=aiohttp.DummyCookieJar(),
                )
                sessions[scheme] = await stack.enter_async_context(session)
            yield cls(sessions, timeout_s)

    async def post(self, webhook: tuple[str, str], url: str, headers: Mapping[str, str], body: bytes) -> Told:
        """Send a body to a webhook, named by (organization, name); raises Busy while it has enough to do."""
        with self._pace.place(webhook):
            started = time.monotonic()
            status, problem, retry_after_s = await self._exchange(url, headers, body)
            took_s = time.monotonic() - started
        metrics.WEBHOOK_DURATION.observe(took_s)
        return Told(status, problem, round(took_s * 1000), retry_after_s)

    async def _exchange(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, float | None]:
        session = self._sessions[url.partition(":")[0]]
        given = {"Content-Type": "application/json", "User-Agent": _AGENT, **headers}
        try:
            # The answer's body is not read: whatever its length, it costs nothing.
            async with session.post(url, data=body, headers=given, allow_redirects=False) as answer:
                if 200 <= answer.status < 300:
                    return answer.status, "", None
                text = "it redirects, and that is not followed" if 300 <= answer.status < 400 else "refused"
                return answer.status, f"{answer.status}: {text}", _retry_after_s(answer)
        except TimeoutError:
            return 0, f"no answer within {self._timeout_s:g} s", None
        except aiohttp.ClientConnectorCertificateError:
            return 0, "its certificate is not trusted", None
        except aiohttp.ClientConnectorError as failed:
            return 0, _why_unreachable(failed), None
        except (aiohttp.ClientError, ValueError) as broken:
            return 0, f"no answer: {type(broken).__name__}", None


def _why_unreachable(failed: aiohttp.ClientConnectorError) -> str:
    # One of several addresses may have been refused: then this is part of a longer text.
    if FORBIDDEN in str(failed.os_error):
        return FORBIDDEN
    return f"cannot be reached: {failed.os_error.strerror or type(failed.os_error).__name__}"


def _retry_after_s(answer: aiohttp.ClientResponse) -> float | None:
    """The webhook's Retry-After in seconds; dates and what is no number are left to our own backoff."""
    text = answer.headers.get("Retry-After", "").strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return min(float(text[:9]), _LONGEST_RETRY_AFTER_S)
