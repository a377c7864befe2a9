"""A bare Graph conversation over real TLS, to test the sandbox with."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import msal
import orjson
import requests
from yarl import URL

from tests.sandbox_process import SandboxProcess

GRAPH_SCOPE = "https://graph.microsoft.com/.default"
IMMUTABLE = 'IdType="ImmutableId"'


@dataclass(frozen=True, slots=True)
class Reply:
    """What Graph answered."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """Graph's error code."""
        return str(self.body["error"]["code"])


class Conversation:
    """Calls as one app; paths are below /v1.0 or whole links, sent exactly as given."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self.token = token

    async def call(
        self, method: str, path: str, body: Any = None, *, prefer: str = IMMUTABLE, **headers: str
    ) -> Reply:
        address = path if path.startswith("https://") else self._url + path
        sent = {"Authorization": f"Bearer {self.token}", "Prefer": prefer}
        data = None
        if body is not None:
            data, sent["Content-Type"] = orjson.dumps(body), "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(
            method,
            URL(address, encoded=True),
            data=data,
            headers=sent,
            timeout=aiohttp.ClientTimeout(total=30),
        ) as reply:
            text = await reply.read()
            return Reply(reply.status, orjson.loads(text) if text else None, reply.headers)

    async def get(self, path: str, **options: str) -> Reply:
        """GET with `$select` etc. given as `select=`."""
        query = "&".join(f"${name}={quote(value, safe='')}" for name, value in options.items())
        return await self.call("GET", f"{path}?{query}" if query else path)

    async def round(
        self, link: str, *, size: int = 50, prefer: str = IMMUTABLE
    ) -> tuple[list[dict[str, Any]], str]:
        """Follow a delta round to its end: the items, and the delta link."""
        items: list[dict[str, Any]] = []
        while True:
            page = await self.call("GET", link, prefer=f"{prefer}, odata.maxpagesize={size}")
            assert page.status == 200, page.body
            items += page.body["value"]
            if "@odata.deltaLink" in page.body:
                return items, str(page.body["@odata.deltaLink"])
            link = page.body["@odata.nextLink"]


def app_token(sandbox: SandboxProcess, **changes: Any) -> dict[str, Any]:
    """What msal gets for the run's app, or with another `tenant_id`, `client_id` or `client_credential`."""
    run = {**sandbox.run, **changes}
    app = msal.ConfidentialClientApplication(
        run["client_id"],
        authority=f"{run['login_url']}/{run['tenant_id']}",
        client_credential=run.get("client_credential", run["client_secret"]),
        instance_discovery=False,
        http_client=_Session(run["ca_file"]),
    )
    return dict(app.acquire_token_for_client([GRAPH_SCOPE]))


class _Session(requests.Session):
    """Trusts the sandbox's CA alone: REQUESTS_CA_BUNDLE would win over msal's own `verify`."""

    def __init__(self, ca_file: str) -> None:
        super().__init__()
        self.verify = ca_file
        self.trust_env = False


@asynccontextmanager
async def conversation(sandbox: SandboxProcess, token: str | None = None) -> AsyncIterator[Conversation]:
    """Talk to the sandbox as its app."""
    tls = ssl.create_default_context(cafile=sandbox.run["ca_file"])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
        yield Conversation(session, sandbox.run["url"], token or app_token(sandbox)["access_token"])


def escaped(item_id: str) -> str:
    """An id as it stands in a path."""
    return quote(item_id, safe="")
