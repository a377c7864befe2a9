"""What the sandbox answers fits Graph's own OpenAPI description, where that is at hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.graph_description import FILE, Description
from tests.sandbox_client import conversation, escaped
from tests.sandbox_process import SandboxProcess, running_sandbox
from tests.sandbox_webhook import listening

MAILBOX = "contract@acme.example"
TAG = "String {00020329-0000-0000-C000-000000000046} Name econeura"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="Graph's description is not here")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--mailbox", MAILBOX) as process:
        yield process


@pytest.fixture(scope="module")
def graph_says() -> Description:
    return Description.read()


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
