"""Bodies posted to the webhook, by Graph or by anyone."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import BadRequest
from workers.graph.notifications import Notification, is_genuine, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
FIELDS = ("subscriptionId", "clientState", "resourceData", "lifecycleEvent", "encryptedContent", "tenantId")


def body(*items: Any, **more: Any) -> bytes:
    return orjson.dumps({"value": list(items), **more})


def test_basic_rich_and_lifecycle_items_come_in_one_body() -> None:
    basic = {
        "subscriptionId": "s1",
        "clientState": "secret",
        "changeType": "created",
        "tenantId": "t1",
        "resource": "Users/u/Messages/m",
        "resourceData": {"id": "AAMk/x+=", "@odata.etag": 'W/"1"'},
    }
    lifecycle = {"subscriptionId": "s2", "clientState": "other", "lifecycleEvent": "missed"}
    rich = {"subscriptionId": "s3", "clientState": "third", "encryptedContent": {"data": "…"}}
    first, second, third = parse(body(basic, lifecycle, rich, validationTokens=["jwt"]))
    assert (first.subscription_id, first.message_id, first.tenant_id) == ("s1", "AAMk/x+=", "t1")
    assert (first.lifecycle_event, first.validation_tokens) == (None, ())
    assert (second.subscription_id, second.lifecycle_event) == ("s2", "missed")
    assert (third.encrypted_content, third.validation_tokens) == ({"data": "…"}, ("jwt",))


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b'{"value": {}}', b'"x"', b"\xff", b'{"value": null}']
)
def test_what_is_no_notification_body_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(raw)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON, max_size=4))
def test_no_item_however_odd_breaks_the_others(items: list[Any]) -> None:
    good = {"subscriptionId": "s", "clientState": "secret"}
    found = parse(body(*items, good))
    assert len(found) == len(items) + 1
    assert is_genuine(found[-1], "secret")


@pytest.mark.parametrize("told", ["", "wrong", "secre", "secret ", "SECRET", "sécret", "\ud800"])
def test_only_the_subscriptions_own_secret_is_genuine(told: str) -> None:
    (item,) = parse(body({"subscriptionId": "s", "clientState": "secret"}))
    forged = Notification({"subscriptionId": "s", "clientState": told}, ())
    assert is_genuine(item, "secret")
    assert not is_genuine(forged, "secret")


def test_an_unknown_subscription_is_never_genuine_not_even_with_nothing() -> None:
    (item,) = parse(body({"subscriptionId": "s"}))
    assert not is_genuine(item, None)
    assert not is_genuine(item, "")
