"""What the sandbox answers fits Graph's own OpenAPI description, where that is at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.sandbox_client import conversation, escaped
from tests.sandbox_process import SandboxProcess, running_sandbox
from tests.sandbox_webhook import listening

DESCRIPTION = Path(__file__).parents[3] / "shared" / "graph" / "openapi-subset.json"
MAILBOX = "contract@acme.example"
TAG = "String {00020329-0000-0000-C000-000000000046} Name econeura"

pytestmark = pytest.mark.skipif(not DESCRIPTION.is_file(), reason="Graph's description is not here")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--mailbox", MAILBOX) as process:
        yield process


class Description:
    """Graph's schemas, strict: a property they do not name is an error."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._schemas: dict[str, Any] = description["components"]["schemas"]

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


@pytest.fixture(scope="module")
def graph_says() -> Description:
    return Description(json.loads(DESCRIPTION.read_text()))


async def test_answers_hold_no_more_and_nothing_else_than_described(
    sandbox: SandboxProcess, graph_says: Description
) -> None:
    user = f"/users/{MAILBOX}"
    async with conversation(sandbox) as graph, listening() as webhook:
        everything = await graph.get(f"{user}/messages", top="100", expand="attachments")
        assert len(everything.body["value"]) >= 40
        graph_says.check_all(everything.body, "microsoft.graph.message")
        message = everything.body["value"][0]
        path = f"{user}/messages/{escaped(message['id'])}"
        headers = await graph.get(path, select="uniqueBody,internetMessageHeaders,subject")
        graph_says.check(headers.body, "microsoft.graph.message")
        draft = await graph.call(
            "POST",
            f"{path}/createReply",
            {"message": {"singleValueExtendedProperties": [{"id": TAG, "value": "v"}]}},
        )
        graph_says.check(draft.body, "microsoft.graph.message")
        for listed, name in (
            (f"{user}/mailFolders", "mailFolder"),
            (f"{user}/outlook/masterCategories", "outlookCategory"),
        ):
            graph_says.check_all((await graph.get(listed)).body, f"microsoft.graph.{name}")
        delta, _ = await graph.round(f"{user}/mailFolders/inbox/messages/delta")
        graph_says.check_all({"value": delta}, "microsoft.graph.message")
        missing = await graph.get(f"{user}/messages/{escaped(message['id'][:-6] + 'AAAA==')}")
        assert set(missing.body) == {"error"}
        wish = {
            "changeType": "created",
            "resource": f"users/{MAILBOX}/mailFolders('inbox')/messages",
            "notificationUrl": webhook.url,
            "expirationDateTime": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
            "clientState": "s",
        }
        made = await graph.call("POST", "/subscriptions", wish)
        graph_says.check(made.body, "microsoft.graph.subscription")
        sandbox.deliver(MAILBOX, subject="x")
        await webhook.wait_for(lambda hook: len(hook.items) == 1)
        graph_says.check_all(webhook.posts[0], "microsoft.graph.changeNotification")
        graph_says.check_all((await graph.get("/subscriptions")).body, "microsoft.graph.subscription")
