"""Which endpoint a Graph path means: by its parts as sent, so an unencoded `/` in an id finds nothing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from workers.sandbox.calls import Answer, Call, GraphProblem

if TYPE_CHECKING:
    from workers.sandbox.service import Sandbox

Handler = Callable[["Sandbox", Call], Awaitable[Answer]]
_KEY_IN_PARENTHESES = re.compile(r"^([A-Za-z]+)\((?:'(.*)')?\)$")


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint; `permissions` are the application roles of which one is needed."""

    method: str
    template: str
    handler: Handler
    permissions: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.template.strip("/").split("/"))


class Router:
    """Finds the route of a method and a raw path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_shape: dict[tuple[str, int], list[tuple[tuple[str, ...], Route]]] = {}
        self._lengths: dict[int, list[tuple[str, ...]]] = {}
        for route in routes:
            parts = route.parts
            self._by_shape.setdefault((route.method, len(parts)), []).append((parts, route))
            self._lengths.setdefault(len(parts), []).append(parts)

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        """The route and the decoded values of its `{parts}`; GraphProblem 400 (path) or 405 (method)."""
        sent = path_parts(raw_path)
        for parts, route in self._by_shape.get((method, len(sent)), ()):
            values = _match(parts, sent)
            if values is not None:
                return route, values
        if any(_match(parts, sent) is not None for parts in self._lengths.get(len(sent), ())):
            raise GraphProblem(
                405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."
            )
        raise GraphProblem(
            400, "BadRequest", f"Resource not found for the segment '{sent[-1] if sent else ''}'."
        )


def path_parts(raw_path: str) -> list[str]:
    """Split before decoding; `mailFolders('inbox')` and `delta()` are read as OData does."""
    parts: list[str] = []
    for raw in raw_path.strip("/").split("/"):
        part = unquote(raw)
        if keyed := _KEY_IN_PARENTHESES.match(part):
            parts.extend(value for value in keyed.groups() if value is not None)
        else:
            parts.append(part)
    return parts


def _match(template: tuple[str, ...], sent: list[str]) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for expected, part in zip(template, sent, strict=True):
        if expected.startswith("{"):
            values[expected[1:-1]] = part
        elif expected.lower() != part.lower():
            return None
    return values
