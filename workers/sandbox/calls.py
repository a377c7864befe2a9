"""One Graph request and its answer, apart from the HTTP server: a part of a `$batch` is the same thing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from multidict import CIMultiDict

if TYPE_CHECKING:
    from workers.sandbox.directory import App

_PREFERENCE = re.compile(r'([A-Za-z.-]+)\s*=\s*"?([^",;]*)"?')
_MAX_PAGE = 1000


class GraphProblem(Exception):
    """A request Graph refuses; becomes Graph's error JSON."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def not_found(message: str = "The specified object was not found in the store.") -> GraphProblem:
    """404 as Exchange words it."""
    return GraphProblem(404, "ErrorItemNotFound", message)


def bad_body(message: str) -> GraphProblem:
    """400 for a body with an unknown property or a value of the wrong type."""
    return GraphProblem(400, "RequestBodyRead", message)


def bad_query(message: str) -> GraphProblem:
    """400 for a query option Graph does not take here."""
    return GraphProblem(400, "ErrorInvalidUrlQuery", message)


@dataclass(slots=True)
class Answer:
    """What Graph says: a status, a JSON body or none, and headers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One request below `/v1.0`: `path` as sent, percent-encoded; `query` and `parts` of the path decoded."""

    method: str
    path: str
    query_string: str
    headers: CIMultiDict[str]
    body: bytes
    origin: str
    request_id: str
    # Known once the token has been checked.
    app: App = field(init=False)
    query: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    preferences: dict[str, str] = field(default_factory=dict)

    def read_options(self) -> None:
        """Decode query and preferences; GraphProblem 400 for an option given twice."""
        for name, value in parse_qsl(self.query_string, keep_blank_values=True):
            if name in self.query:
                raise GraphProblem(400, "BadRequest", f"Query option '{name}' was specified more than once.")
            self.query[name] = value
        for header in self.headers.getall("Prefer", []):
            for name, value in _PREFERENCE.findall(header):
                self.preferences[name.lower()] = value

    @property
    def target(self) -> str:
        """Path and query as sent."""
        return f"{self.path}?{self.query_string}" if self.query_string else self.path

    @property
    def client_request_id(self) -> str:
        return self.headers.get("client-request-id", self.request_id)

    @property
    def immutable_ids(self) -> bool:
        return self.preferences.get("idtype", "").lower() == "immutableid"

    @property
    def text_bodies(self) -> bool:
        return self.preferences.get("outlook.body-content-type", "").lower() == "text"

    @property
    def page_size(self) -> int | None:
        """The page size asked for by `Prefer: odata.maxpagesize`, at most 1,000."""
        wanted = self.preferences.get("odata.maxpagesize", "")
        return min(int(wanted), _MAX_PAGE) if wanted.isdigit() and int(wanted) > 0 else None

    def applied_preferences(self) -> dict[str, str]:
        """The `Preference-Applied` header, where anything was preferred."""
        applied = []
        if self.immutable_ids:
            applied.append('IdType="ImmutableId"')
        if self.text_bodies:
            applied.append('outlook.body-content-type="text"')
        if (size := self.page_size) is not None:
            applied.append(f"odata.maxpagesize={size}")
        return {"Preference-Applied": ", ".join(applied)} if applied else {}

    def json(self) -> Any:
        """The body as JSON; refused with 400 when it is no JSON or not said to be."""
        if not self.headers.get("Content-Type", "").lower().startswith("application/json"):
            raise GraphProblem(
                400,
                "RequestBodyRead",
                "A valid Content-Type header (application/json) was not found for the body.",
            )
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise GraphProblem(
                400, "BadRequest", f"Unable to read JSON request payload. Please ensure it is valid. {error}"
            ) from error

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object, as for Graph's actions."""
        if not self.body:
            return {}
        value = self.json()
        if not isinstance(value, dict):
            raise bad_body("A JSON object was expected as the request body.")
        return value


def problem_answer(problem: GraphProblem, request_id: str, client_request_id: str) -> Answer:
    """Graph's error JSON; `date` carries no zone, as the real one."""
    body = {
        "error": {
            "code": problem.code,
            "message": problem.message,
            "innerError": {
                "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
                "request-id": request_id,
                "client-request-id": client_request_id,
            },
        }
    }
    return Answer(problem.status, body, problem.headers)
