"""The real HTTP application over a real Redis; each answer is held against its own OpenAPI document."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jsonschema  # type: ignore[import-untyped]
from aiohttp import ClientSession, web
from dramatiq import Message
from yarl import URL

from api import openapi
from api.app import ROUTE_TABLE, create_app
from api.patience import Patience
from api.serving import Listener, listening
from api.wiring import QUEUE, STORE
from workers.broker import Broker
from workers.broker.encoding import decode, parse
from workers.settings import load_settings
from workers.store import Store

Fact = TypeVar("Fact")
ORGANIZATIONS = """
[organizations.acme]
tenant_id = "tenant-1"
client_id = "client-1"
client_secret = "file:secret"
mailboxes = ["soporte@acme.example", "ventas@acme.example"]
rules = [{ name = "facturas", then = [{ categorize = "Finanzas" }] }]
webhooks.crm = { url = "https://crm.acme.example/3f9c", secret = "file:secret", events = ["email.done"] }
[organizations.solo]
tenant_id = "tenant-2"
client_id = "client-2"
client_secret = "file:secret"
mailboxes = ["info@solo.example"]
"""
SUPPORT, SALES, SOLO = "soporte@acme.example", "ventas@acme.example", "info@solo.example"
DOCUMENT = openapi.document(ROUTE_TABLE)
_PATTERNS = {path: re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))) for path in DOCUMENT["paths"]}


@dataclass(frozen=True)
class Reply:
    """An answer of the API."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def fields(self) -> list[str]:
        """The fields that a refusal complains about."""
        return [detail["field"] for detail in self.json["details"]]


class Api:
    """A running application, and what stands behind it."""

    def __init__(self, app: web.Application, listener: Listener, client: ClientSession) -> None:
        self.app = app
        self.listener = listener
        self.url = listener.url
        self.port = listener.port
        self._client = client

    @property
    def store(self) -> Store:
        return self.app[STORE]

    @property
    def queue(self) -> Broker:
        return self.app[QUEUE]

    def waiting(self, priority: str = "normal") -> list[Message[Any]]:
        """The queue messages of a priority that wait, in their order."""
        entries = self.queue.client.lrange(self.queue.keys[0][f"ready:{priority}"], 0, -1)
        return [decode(parse(entry).body) for entry in entries]

    def queued(self) -> dict[str, int]:
        """Actor -> messages that wait."""
        waiting = {actor: sizes["waiting"] for actor, sizes in self.queue.stats().by_actor.items()}
        return {actor: size for actor, size in waiting.items() if size}

    async def request(self, method: str, path: str, **options: Any) -> Reply:
        """One request; AssertionError where the answer is not as documented."""
        address = URL(self.url + path, encoded=True)
        async with self._client.request(method, address, allow_redirects=False, **options) as response:
            reply = Reply(response.status, response.headers, await response.read())
        conforms(method, path.partition("?")[0], reply)
        return reply

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.request("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.request("POST", path, **({} if body is None else {"json": body}), **options)


@asynccontextmanager
async def serving(
    redis_url: str,
    directory: Path,
    *,
    organizations: str = ORGANIZATIONS,
    patience: Patience | None = None,
    **settings: Any,
) -> AsyncIterator[Api]:
    """The application on a free port, with these organizations."""
    (directory / "secret").write_text("s3cret")
    (directory / "organizations.toml").write_text(organizations)
    chosen = load_settings(
        redis_url=redis_url,
        organizations=directory / "organizations.toml",
        data_dir=directory / "data",
        **{"port": 0, **settings},
    )
    app = create_app(chosen, patience=patience)
    async with listening(app, chosen) as listener, ClientSession() as client:
        yield Api(app, listener, client)


def conforms(method: str, path: str, reply: Reply) -> None:
    """AssertionError unless the document knows such an answer of this route; unknown routes are refusals."""
    schema = {"$ref": "#/components/schemas/Refused"}
    operation = operation_of(method, path)
    if operation is not None:
        documented = operation["responses"]
        assert str(reply.status) in documented, f"{method} {path}: {reply.status} is not documented"
        content = documented[str(reply.status)].get("content", {})
        media = reply.headers.get("Content-Type", "").partition(";")[0]
        assert media in content or "*/*" in content or (not content and not reply.body), (
            f"undocumented {media}"
        )
        if media != "application/json" or media not in content:
            return
        schema = content[media]["schema"]
    else:
        assert reply.status in (400, 404, 405)
    jsonschema.validate(reply.json, {**schema, "components": DOCUMENT["components"]})


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """The documented operation; a path without parameters wins over one with."""
    if path in DOCUMENT["paths"]:
        return operations(path).get(method.lower())
    for template, pattern in _PATTERNS.items():
        if pattern.fullmatch(path):
            return operations(template).get(method.lower())
    return None


def operations(template: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = DOCUMENT["paths"][template]
    return found


async def soon(fact: Callable[[], Fact], *, within_s: float = 10.0) -> Fact:
    """The first true value of `fact`, while the event loop goes on; raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not (value := fact()):  # noqa: ASYNC110 the fact is in Redis
            await asyncio.sleep(0.002)
        return value
