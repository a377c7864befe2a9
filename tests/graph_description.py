"""Microsoft's OpenAPI description of Graph, where it is at hand: what may be asked, and what is answered."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import jsonschema  # type: ignore[import-untyped]

FILE = Path(__file__).parents[2] / "shared" / "graph" / "openapi-subset.json"


class Description:
    """Graph's schemas, strict: a property they do not name is an error."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._schemas: dict[str, Any] = description["components"]["schemas"]
        self._parameters: dict[str, Any] = description["components"]["parameters"]
        self._operations: dict[tuple[str, str], dict[str, Any]] = {
            (method.upper(), _nameless(path)): operation
            for path, operations in description["paths"].items()
            for method, operation in operations.items()
            if method != "parameters"
        }

    @classmethod
    def read(cls) -> Self:
        return cls(json.loads(FILE.read_text()))

    def check_call(self, call: dict[str, Any]) -> None:
        """A call in the sandbox's journal: a described operation, its options, its body; AssertionError."""
        named = f"{call['method']} {call['endpoint']}"
        operation = self._operations.get((call["method"], _nameless(call["endpoint"])))
        assert operation is not None, f"{named} is not described"
        options = {one["name"]: one.get("schema", {}) for one in self._options(operation)}
        for name, (value,) in parse_qs(call["query"]).items():
            assert name in options, f"{named} does not take {name}"
            allowed = options[name].get("items", {}).get("enum")
            if allowed is not None:
                # Some lists of the description leave out the inherited id.
                unknown = set(value.split(",")) - {*allowed, "id"}
                assert not unknown, f"{named}: {name} does not take {unknown}"
        if call["body"] is not None:
            self._check_body(named, operation, call["body"])

    def check(self, value: Any, name: str) -> None:
        schema = {"$defs": {key: self._plain(one) for key, one in self._schemas.items()}}
        strict = {
            **schema,
            **self._plain({"$ref": f"#/components/schemas/{name}"}),
            "unevaluatedProperties": False,
        }
        # Annotations such as @odata.context belong to the protocol, not to a type.
        bare = without_annotations(value)
        jsonschema.Draft202012Validator(strict).validate(bare)

    def check_all(self, collection: dict[str, Any], name: str) -> None:
        assert set(without_annotations(collection)) <= {"value", "@odata.nextLink", "@odata.count"}
        assert collection["value"], f"nothing to check against {name}"
        for one in collection["value"]:
            self.check(one, name)

    def _check_body(self, named: str, operation: dict[str, Any], body: dict[str, Any]) -> None:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        if "$ref" in schema:
            self.check(body, schema["$ref"].rpartition("/")[2])
            return
        assert set(body) <= set(schema["properties"]), f"{named} does not take {set(body)}"
        if "message" in body:
            self.check(body["message"], "microsoft.graph.message")

    def _options(self, operation: dict[str, Any]) -> list[dict[str, Any]]:
        named = [
            self._parameters[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
            for one in operation.get("parameters", ())
        ]
        return [one for one in named if one["in"] == "query"]

    def _plain(self, node: Any) -> Any:
        """OpenAPI 3.0 as JSON Schema: references, `nullable`, and no further properties."""
        if isinstance(node, list):
            return [self._plain(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return {"$ref": "#/$defs/" + node["$ref"].rpartition("/")[2]}
        plain = {
            key: self._plain(one) for key, one in node.items() if key not in ("nullable", "discriminator")
        }
        if node.get("nullable") and isinstance(node.get("type"), str):
            plain["type"] = [node["type"], "null"]
        return plain


def without_annotations(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: without_annotations(one)
            for key, one in value.items()
            if not key.startswith("@odata.") or key in ("@odata.type", "@odata.nextLink", "@odata.count")
        }
    return [without_annotations(one) for one in value] if isinstance(value, list) else value


def _nameless(path: str) -> str:
    """A path template, whatever its parameters are called."""
    return re.sub(r"\{[^}]*\}", "{}", path)
