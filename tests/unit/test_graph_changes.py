"""How one page of a delta answer is read."""

from __future__ import annotations

from datetime import UTC, datetime

from workers.graph.changes import page_of

SINCE = datetime(2026, 11, 1, tzinfo=UTC)


def test_items_repeated_on_a_page_are_merged() -> None:
    page = page_of(
        {"value": [{"id": "a", "subject": "x", "isRead": False}, {"id": "a", "isRead": True}]}, None
    )
    assert page.messages == ({"id": "a", "subject": "x", "isRead": True},)


def test_what_left_is_told_apart_from_what_came() -> None:
    left = {"id": "a", "@removed": {"reason": "deleted"}}
    page = page_of({"value": [{"id": "a", "subject": "x"}, {"id": "b"}, left]}, None)
    assert ([message["id"] for message in page.messages], page.removed) == (["b"], ("a",))


def test_what_left_and_came_back_is_here() -> None:
    left = {"id": "a", "@removed": {"reason": "changed"}}
    page = page_of({"value": [left, {"id": "a", "subject": "x"}]}, None)
    assert ([message["id"] for message in page.messages], page.removed) == (["a"], ())


def test_what_is_older_than_asked_for_is_left_out_and_what_says_no_date_is_kept() -> None:
    old, new = ({"id": day, "receivedDateTime": f"2026-{day}T00:00:00Z"} for day in ("10-31", "11-01"))
    page = page_of({"value": [old, new, {"id": "partial"}]}, SINCE)
    assert [message["id"] for message in page.messages] == ["11-01", "partial"]


def test_links_are_passed_on_letter_by_letter() -> None:
    page = page_of({"value": [], "@odata.nextLink": "https://g/%2F+=", "@odata.deltaLink": None}, None)
    assert (page.next_link, page.delta_link) == ("https://g/%2F+=", None)
