"""OpenAPI 3.1 of exactly the routes served, made from the registry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.idempotency import HEADER, REPLAYED
from api.rates import PROBES
from api.routes import Answer, Route
from api.schemas.errors import Refused
from workers import __version__

_PARAMETER = re.compile(r"\{(\w+)\}")
_TIMESTAMP = {"type": "string", "format": "date-time", "examples": ["2026-11-22T09:30:00.000Z"]}
_PATH_ID = {"type": "string", "minLength": 1, "maxLength": 512, "pattern": r"^[ -~\u0080-\uffff]+$"}
_CORRELATION = {
    "X-Correlation-ID": {
        "description": "Yours, or a new one; it follows the work through the logs.",
        "schema": {"type": "string"},
    }
}
_RATE = {
    "RateLimit-Policy": {
        "description": 'The limit that counts here, such as `"key";q=300000;w=60`: requests and seconds.',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'What is left of it, such as `"key";r=299000;t=1`: requests, and the seconds until '
        "all of it is there again. It refills evenly.",
        "schema": {"type": "string"},
    },
}
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}},
}
_DESCRIPTION = """\
Understands and handles the mail of Microsoft 365 mailboxes by each organization's own rules. Every JSON
answer is `{"success", "data", "error", "timestamp"}`; errors add `code`, `details` and `correlationId`."""

_KEY = """\
An API key of `econeura keys create`. Each operation names the scope that it needs: read, submit, operate or
admin; none includes another. A key that is bound to organizations sees and does only what is theirs;
operations marked `x-whole-service` need a key that is bound to none."""
_ENTRA = """\
Where the service is configured for it: an access token of Microsoft Entra ID, whose app roles name the
scopes. A role `ROLE@ORGANIZATION` is good for that organization alone."""
_NAMED = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A name for this request, such as a UUID. Sent again under it within 24 hours, the "
    "request is not done again: it gets the same answer, with `Idempotency-Replayed: true`. Another body "
    "under the name is refused (422), and any while the first is in hand (409). Names are the key's own.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_REPLAYED = {
    REPLAYED: {"description": "This is the answer of an earlier request.", "schema": {"const": "true"}}
}

# status -> (description, code, error) of an example
_REFUSALS: dict[int, tuple[str, str, str]] = {
    400: ("Malformed request.", "invalid_json", "the body is not valid JSON: unexpected end of data"),
    401: (
        "The API key or token is missing, wrong or expired.",
        "unauthorized",
        "send the API key as Authorization: Bearer KEY",
    ),
    403: (
        "The key lacks the scope, or is bound to an organization and this is about the whole service.",
        "missing_scope",
        "the key is not good for this: it lacks the scope submit",
    ),
    404: ("Not there.", "not_found", "no such job (jobs are kept for seven days)"),
    408: ("The body did not arrive in time.", "request_timeout", "the body did not arrive in time"),
    409: ("Not possible now.", "conflict", "the service has no public URL"),
    413: (
        "The body is over 64 kB; 1 MB where many are sent.",
        "body_too_large",
        "the body is over 65536 bytes",
    ),
    415: (
        "Not application/json.",
        "unsupported_media_type",
        "send the body as Content-Type: application/json",
    ),
    422: ("A field is missing, unknown or wrong.", "validation", "messageId: Field required"),
    500: ("A bug of ours.", "internal", "internal error; the log has it under this correlation id"),
    502: (
        "Microsoft Graph refused.",
        "access_denied",
        "organization org_456: Graph 403 for GET /subscriptions",
    ),
    429: (
        "Too many requests of this key or this address.",
        "rate_limited",
        "too many requests of this key: 300000 a minute are allowed",
    ),
    503: (
        "Redis or Graph is away, or there is too much to do.",
        "queue_unavailable",
        "the queue takes nothing now: try again",
    ),
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    models = _models(routes)
    references, definitions = models_json_schema(
        [(model, "validation" if _is_taken(routes, model) else "serialization") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[Any, Any] = {model: reference for (model, _), reference in references.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ECONEURA Workers",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": _KEY},
                "entra": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": _ENTRA,
                },
            },
        },
    }


def _models(routes: Iterable[Route]) -> list[type[BaseModel]]:
    models: dict[type[BaseModel], None] = {Refused: None}
    for route in routes:
        for model in (
            route.takes.body,
            route.takes.query,
            *(answer.data for answer in route.answers.values()),
        ):
            if model is not None:
                models[model] = None
    return list(models)


def _is_taken(routes: Iterable[Route], model: type[BaseModel]) -> bool:
    return any(model in (route.takes.body, route.takes.query) for route in routes)


def _operation(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "x-whole-service": route.whole_service,
        # Without a key the service listens on loopback alone, and asks for none.
        "security": []
        if route.needs == "nothing"
        else [{"key": [route.needs]}, {"entra": [route.needs]}, {}],
        "parameters": _parameters(route),
        "responses": {
            **{str(status): _answer(route, given, schemas) for status, given in route.answers.items()},
            **{str(status): _refusal(route, status, schemas) for status in _refusals_of(route)},
        },
    }
    if route.description:
        operation["description"] = route.description
    if route.takes.body is not None:
        operation["requestBody"] = {
            "required": _is_required(route.takes.body),
            "content": {"application/json": {"schema": schemas[route.takes.body]}},
        }
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_ID}
        for name in _PARAMETER.findall(route.path)
    ]
    if route.takes.query is not None:
        schema = route.takes.query.model_json_schema()
        required = schema.get("required", [])
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": field}
            for name, field in schema["properties"].items()
        ]
    parameters += [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in route.request_headers.items()
    ]
    return [*parameters, _NAMED] if route.is_repeatable else parameters


def _answer(route: Route, given: Answer, schemas: dict[Any, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": given.description,
        "headers": {
            **_headers(route),
            **(_REPLAYED if route.is_repeatable else {}),
            **{
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in given.headers.items()
            },
        },
    }
    if given.leads_to:
        response["links"] = {
            operation: {
                "operationId": operation,
                "parameters": {
                    name: place if place.startswith("$") else f"$response.body#/data{place}"
                    for name, place in parameters.items()
                },
            }
            for operation, parameters in given.leads_to.items()
        }
    content = {}
    if given.data is not None:
        content["application/json"] = {"schema": _envelope(schemas[given.data])}
    if given.media:
        kind = "object" if given.media == "application/json" else "string"
        content[given.media] = {"schema": {"type": kind}}
    return {**response, "content": content} if content else response


def _envelope(data: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "success": {"const": True},
            "data": data,
            "error": {"type": "null"},
            "timestamp": _TIMESTAMP,
        },
        "required": ["success", "data", "error", "timestamp"],
        "additionalProperties": False,
    }


def _refusal(route: Route, status: int, schemas: dict[Any, Any]) -> dict[str, Any]:
    description, code, error = _REFUSALS[status]
    example = {
        "success": False,
        "data": None,
        "error": error,
        "timestamp": "2026-11-22T09:30:00.000Z",
        "code": code,
        "details": [{"field": "messageId", "reason": "Field required"}] if status == 422 else [],
        "correlationId": "5d2f8a3e-0f0b-4c5e-9a55-0c8a7c0c1f6e",
    }
    response: dict[str, Any] = {
        "description": description,
        "headers": {**_headers(route), **(_RETRY_AFTER if status in (409, 429, 503) else {})},
        "content": {"application/json": {"schema": schemas[Refused], "example": example}},
    }
    return response


def _headers(route: Route) -> dict[str, Any]:
    return _CORRELATION if route.path in PROBES else {**_CORRELATION, **_RATE}


def _refusals_of(route: Route) -> list[int]:
    """The error statuses of a route: its own, and those that follow from what it takes."""
    statuses = {400, 500, 503, *route.refusals}
    if route.path not in PROBES:
        statuses.add(429)
    if route.needs != "nothing":
        statuses |= {401, 403}
    if route.takes.body is not None:
        statuses |= {408, 413, 415, 422}
    if route.takes.query is not None or "{" in route.path:
        statuses.add(422)
    if route.is_repeatable:
        statuses |= {408, 409, 413, 415, 422}
    return sorted(statuses - set(route.answers))


def _is_required(model: type[BaseModel]) -> bool:
    return any(field.is_required() for field in model.model_fields.values())
