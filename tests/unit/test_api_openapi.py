"""The OpenAPI document: exactly the routes served, whole and true to its own rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from api.app import ROUTE_TABLE, create_app
from api.openapi import document
from api.routes import NOTHING, Answer, Route, Routes
from workers.settings import load_settings

DOCUMENT = document(ROUTE_TABLE)
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "$ref")
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_it_holds_exactly_the_routes_served() -> None:
    app = create_app(load_settings(redis_url="redis://127.0.0.1:1"))
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
    }
    assert served == {(method, path) for method, path, _ in OPERATIONS}


def test_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for reference in references(DOCUMENT):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference


def test_every_schema_is_a_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda part: str(part)[:40])
def test_an_operation_explains_itself(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"] and not operation["summary"].endswith(".")
    assert any(status.startswith("2") for status in operation["responses"])
    named = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
    assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
    for response in operation["responses"].values():
        for content in response.get("content", {}).values():
            if "example" in content:
                jsonschema.validate(
                    content["example"], {**content["schema"], "components": DOCUMENT["components"]}
                )


@pytest.mark.parametrize("route", ROUTE_TABLE, ids=lambda route: f"{route.method} {route.path}")
def test_an_operation_says_who_may_call_it(route: Route) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    is_open = route.path in ("/listen", "/health/live", "/health/ready")
    allowed = [{"key": [route.needs]}, {"entra": [route.needs]}, {}]
    assert operation["security"] == ([] if is_open else allowed)
    assert operation["x-whole-service"] is route.whole_service
    assert {"401", "403"} & operation["responses"].keys() == (set() if is_open else {"401", "403"})
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {name: scheme["scheme"] for name, scheme in schemes.items()} == {
        "key": "bearer",
        "entra": "bearer",
    }


@pytest.mark.parametrize("route", ROUTE_TABLE, ids=lambda route: f"{route.method} {route.path}")
def test_requests_that_may_be_named_say_so(route: Route) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    may_be_named = any(item["name"] == "Idempotency-Key" for item in operation["parameters"])
    assert may_be_named == (route.method == "POST" and route.path != "/listen")
    assert not may_be_named or {"409", "422"} <= operation["responses"].keys()


def test_a_route_is_documented_as_it_is_declared() -> None:
    routes = Routes("things")

    @routes.add(
        "GET", "/things/{id}", takes=NOTHING, needs="read", answers={200: Answer("It.")}, refusals=(404,)
    )
    async def read_thing(request: Any, _: None) -> Any:
        """Show a thing. And more.

        With a word on it.
        """

    operation = document(routes.all)["paths"]["/things/{id}"]["get"]
    assert operation["operationId"] == "read_thing"
    assert operation["summary"] == "Show a thing. And more"
    assert operation["description"] == "With a word on it."
    assert operation["responses"].keys() == {"200", "400", "401", "403", "404", "422", "429", "500", "503"}
