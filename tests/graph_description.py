"""Microsoft's OpenAPI description of Graph, where it is at hand: what may be asked, and what is answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import jsonschema  # type: ignore[import-untyped]

from tests.sandbox_process import SandboxProcess, running_sandbox

FILE = Path(__file__).parents[2] / "shared" / "graph" / "openapi-subset.json"
# It is Graph's, but of no single service: the description of mail does not have it. Its parts are checked.
_BATCH = "/$batch"


class Description:
    """Graph's schemas, strict: a property they do not name is an error."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._schemas: dict[str, Any] = description["components"]["schemas"]
        self._parameters: dict[str, Any] = description["components"]["parameters"]
        self._definitions = {key: self._plain(one) for key, one in self._schemas.items()}
        self._validators: dict[str, Any] = {}
        self._operations: dict[tuple[str, str], dict[str, Any]] = {
            (method.upper(), _nameless(path)): operation
            for path, operations in description["paths"].items()
            for method, operation in operations.items()
            if method != "parameters"
        }

    @classmethod
    def read(cls) -> Self:
        return cls(json.loads(FILE.read_text()))

    def check_calls(self, sandbox: SandboxProcess) -> None:
        """All calls in the sandbox's journal, each of its kind once; AssertionError, ValidationError."""
        kinds = {_kind_of(call): call for call in sandbox.calls() if call["endpoint"] != _BATCH}
        assert kinds, "no call was made"
        for call in kinds.values():
            self.check_call(call)

    def check_call(self, call: dict[str, Any]) -> None:
        """A call in the sandbox's journal: a described operation, its options, its body; AssertionError."""
        named = f"{call['method']} {call['endpoint']}"
        asked = ", ".join(call["prefer"])
        assert 'IdType="ImmutableId"' in asked, f"{named} would answer with ids that a move changes"
        assert "odata.maxpagesize=" in asked or not call["endpoint"].endswith("/delta"), f"{named}: page size"
        operation = self._operations.get((call["method"], _nameless(call["endpoint"])))
        assert operation is not None, f"{named} is not described"
        options = {one["name"]: one.get("schema", {}) for one in self._options(operation)}
        for name, values in parse_qs(call["query"], keep_blank_values=True).items():
            assert name in options, f"{named} does not take {name}"
            (value,) = values
            _check_option(f"{named}: {name}", value, options[name])
        if call["body"] is None:
            assert "requestBody" not in operation or call["method"] == "POST", f"{named} needs a body"
            assert call["content_type"] is None, f"{named} names the type of a body that it does not have"
            return
        assert "requestBody" in operation, f"{named} takes no body"
        assert (call["content_type"] or "").startswith("application/json"), named
        self._check_body(named, operation, call["body"])

    def check(self, value: Any, name: str) -> None:
        # Annotations such as @odata.context belong to the protocol, not to a type.
        self._validator(name).validate(without_annotations(value))

    def _validator(self, name: str) -> Any:
        if name not in self._validators:
            strict = {
                "$defs": self._definitions,
                **self._plain({"$ref": f"#/components/schemas/{name}"}),
                "unevaluatedProperties": False,
            }
            self._validators[name] = jsonschema.Draft202012Validator(strict)
        return self._validators[name]

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
        parameters = {"$defs": self._definitions, **self._plain(schema)}
        jsonschema.Draft202012Validator(parameters).validate(without_annotations(body))
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


@contextmanager
def described_sandbox(directory: Path, *options: str) -> Iterator[SandboxProcess]:
    """A sandbox for the length of a block; every call that was made must be one that Graph describes."""
    with running_sandbox(directory, *options) as sandbox:
        yield sandbox
        if FILE.is_file():
            Description.read().check_calls(sandbox)


def _check_option(named: str, value: str, schema: dict[str, Any]) -> None:
    if schema.get("type") == "array":
        parts = value.split(",")
        assert len(set(parts)) == len(parts), f"{named} repeats itself"
        # Some lists of the description leave out the inherited id.
        unknown = set(parts) - {*schema["items"].get("enum", parts), "id"}
        assert not unknown, f"{named} does not take {unknown}"
    elif schema.get("type") == "integer":
        assert value.isdigit() and int(value) >= schema.get("minimum", 0), f"{named} is no number"
    elif schema.get("type") == "boolean":
        assert value in ("true", "false"), f"{named} is neither true nor false"
    else:
        assert value, f"{named} is empty"


def _kind_of(call: dict[str, Any]) -> str:
    """The same for calls that differ in ids, tokens and texts only."""
    free = ("$filter", "$skiptoken", "$deltatoken")
    options = {
        name: value for name, value in parse_qs(call["query"]).items() if name not in free or not value
    }
    asked = (sorted(call["prefer"]), call["content_type"])
    named = (call["method"], call["endpoint"], sorted(parse_qs(call["query"])))
    return repr((*named, options, asked, _shape(call["body"])))


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((name, _shape(one)) for name, one in value.items())
    if isinstance(value, list):
        return sorted({repr(_shape(one)) for one in value})
    return type(value).__name__


def _nameless(path: str) -> str:
    """A path template, whatever its parameters are called."""
    return re.sub(r"\{[^}]*\}", "{}", path)
