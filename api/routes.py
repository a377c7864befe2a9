"""The route registry: each resource file declares its routes here; the router and /openapi.json come from it.

What is declared is what happens: the model of a route both reads its requests and documents them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel

from api.bodies import check_path, read_json, read_query
from api.receiving import FORM_LIMIT_BYTES, read_body
from workers.scopes import Scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Taken = TypeVar("Taken")
Model = TypeVar("Model", bound=BaseModel)
Needs = Literal["nothing"] | Scope
"""The scope that a caller's key must have."""


@dataclass(frozen=True)
class Takes(Generic[Taken]):
    """How a route reads its input, and the model that documents it."""

    read: Callable[[web.Request], Awaitable[Taken]]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None


def body(model: type[Model], *, most_bytes: int = FORM_LIMIT_BYTES) -> Takes[Model]:
    """A JSON body."""

    def read(request: web.Request) -> Awaitable[Model]:
        return read_json(request, model, most_bytes)

    return Takes(read, body=model)


def query(model: type[Model]) -> Takes[Model]:
    """A query string."""

    async def read(request: web.Request) -> Model:
        return read_query(request, model)

    return Takes(read, query=model)


def raw_body(described_by: type[BaseModel], *, with_query: type[BaseModel]) -> Takes[bytes]:
    """A body that the handler judges itself, item by item."""
    return Takes(read_body, body=described_by, query=with_query)


async def _read_nothing(_: web.Request) -> None:
    return None


NOTHING: Takes[None] = Takes(_read_nothing)


@dataclass(frozen=True)
class Answer:
    """A success: the model of the envelope's `data`, a media type without envelope, either, or no content."""

    description: str
    data: type[BaseModel] | None = None
    media: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header name -> description."""
    leads_to: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name of an operation that may follow -> where its parameters are: JSON pointers into `data`, or runtime
    expressions of OpenAPI ($…)."""


@dataclass(frozen=True)
class Route:
    """One route. `refusals` are the error statuses of its own, besides those that any request may get.

    `whole_service`: about no single organization, so not for a key that is bound to one. `uses_redis`: it
    could only fail without. `changes`: how the audit log calls it, "" where nothing is changed.
    """

    method: str
    path: str
    handler: Handler
    name: str
    tag: str
    summary: str
    description: str
    takes: Takes[Any]
    needs: Needs
    whole_service: bool
    uses_redis: bool
    changes: str
    answers: Mapping[int, Answer]
    refusals: tuple[int, ...]
    request_headers: Mapping[str, str]

    @property
    def is_repeatable(self) -> bool:
        """Whether callers may name a request (Idempotency-Key), to repeat it without doing it twice."""
        return self.method == "POST" and self.needs != "nothing"


class Routes:
    """The routes of one resource, in the order of declaration."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.all: list[Route] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        needs: Needs,
        answers: Mapping[int, Answer],
        takes: Takes[Taken],
        whole_service: bool = False,
        uses_redis: bool = True,
        changes: str = "",
        refusals: tuple[int, ...] = (),
        request_headers: Mapping[str, str] | None = None,
    ) -> Callable[[Callable[[web.Request, Taken], Awaitable[web.StreamResponse]]], None]:
        """Declare a route: its handler gets the request and what was read from it, checked."""

        def declare(handler: Callable[[web.Request, Taken], Awaitable[web.StreamResponse]]) -> None:
            has_parameters = "{" in path

            async def handle(request: web.Request) -> web.StreamResponse:
                if has_parameters:
                    check_path(request)
                return await handler(request, await takes.read(request))

            summary, _, description = (handler.__doc__ or "").partition("\n")
            self.all.append(
                Route(
                    method=method,
                    path=path,
                    handler=handle,
                    name=getattr(handler, "__name__", path),
                    tag=self.tag,
                    summary=summary.strip().removesuffix("."),
                    description=" ".join(description.split()),
                    takes=takes,
                    needs=needs,
                    whole_service=whole_service,
                    uses_redis=uses_redis,
                    changes=changes,
                    answers=answers,
                    refusals=refusals,
                    request_headers=request_headers or {},
                )
            )

        return declare
