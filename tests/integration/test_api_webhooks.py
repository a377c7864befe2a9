"""What an organization's webhooks were told, as the API shows it, and telling it again."""

from __future__ import annotations

import pytest

from tests.api_service import Api
from workers.store import Delivery

AT = "2026-11-22T10:00:00.000Z"
FAILED = Delivery("evt_1", "email.done", AT, "failed", 18, 500, "500: refused", 12, AT, {"messageId": "m1"})
PATH = "/organizations/acme/webhooks"


async def test_the_webhooks_are_listed_without_their_whole_address(api: Api) -> None:
    reply = await api.get(PATH)
    assert reply.data == {
        "webhooks": [{"name": "crm", "host": "crm.acme.example", "events": ["email.done"]}],
        "count": 1,
    }
    assert (await api.get("/organizations/solo/webhooks")).data == {"webhooks": [], "count": 0}
    assert (await api.get("/organizations/nobody/webhooks")).status == 404


async def test_deliveries_are_shown_last_tried_first(api: Api) -> None:
    await api.store.webhooks.log("acme", "crm", FAILED)
    unanswered = Delivery("evt_2", "email.done", AT, "retrying", 1, 0, "no answer within 15 s", 15000, AT)
    await api.store.webhooks.log("acme", "crm", unanswered)
    shown = (await api.get(f"{PATH}/crm/deliveries")).data
    assert [one["id"] for one in shown["deliveries"]] == ["evt_2", "evt_1"] and shown["count"] == 2
    assert shown["deliveries"][0]["statusCode"] is None
    assert shown["deliveries"][1] == {
        "id": "evt_1",
        "type": "email.done",
        "at": AT,
        "status": "failed",
        "attempts": 18,
        "statusCode": 500,
        "error": "500: refused",
        "durationMs": 12,
        "triedAt": AT,
        "data": {"messageId": "m1"},
    }
    assert (await api.get(f"{PATH}/crm/deliveries?limit=1")).data["count"] == 1
    assert (await api.get(f"{PATH}/crm/deliveries?limit=0")).status == 422


async def test_a_delivery_is_told_again_under_its_id(api: Api) -> None:
    await api.store.webhooks.log("acme", "crm", FAILED)
    reply = await api.request("POST", f"{PATH}/crm/deliveries/evt_1/replay")
    assert (reply.status, reply.data) == (202, {"id": "evt_1", "status": "queued"})
    (message,) = api.waiting("low")
    assert message.kwargs["event"]["id"] == "evt_1" and message.kwargs["again"] is True
    assert message.kwargs["event"]["data"] == {"messageId": "m1"}


@pytest.mark.parametrize("path", [f"{PATH}/crm/deliveries/evt_9", f"{PATH}/erp/deliveries/evt_1"])
async def test_what_is_not_there_is_not_told(api: Api, path: str) -> None:
    await api.store.webhooks.log("acme", "crm", FAILED)
    assert (await api.request("POST", f"{path}/replay")).status == 404
    assert api.queued() == {}
