"""Dead letters through the API, made by a real worker."""

from __future__ import annotations

import pytest

from tests.api_service import Api
from tests.dead_letters import Killer


async def test_a_dead_letter_tells_what_happened(api: Api, kill: Killer) -> None:
    kill(1, "acme")
    (letter,) = (await api.get("/dead-letters")).data["deadLetters"]
    assert (letter["actor"], letter["reason"], letter["organizationId"]) == (
        "refused", "access_denied", "acme",
    )  # fmt: skip
    assert letter["arguments"] == {"number": 0}
    assert "no consent" in letter["error"] and "Traceback" in letter["traceback"]
    assert letter["sentAt"] <= letter["diedAt"]


async def test_pages_follow_each_other_without_gap_or_repeat(api: Api, kill: Killer) -> None:
    kill(7, "acme")
    seen: list[str] = []
    page = (await api.get("/dead-letters?limit=3")).data
    while True:
        seen += [letter["id"] for letter in page["deadLetters"]]
        assert page["count"] == len(page["deadLetters"])
        if page["next"] is None:
            break
        page = (await api.get(f"/dead-letters?limit=3&cursor={page['next']}")).data
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, key=int, reverse=True)


async def test_a_filter_holds_for_lists_retries_and_purges(api: Api, kill: Killer) -> None:
    kill(2, "acme")
    kill(3, "solo")
    assert (await api.get("/dead-letters?organizationId=acme")).data["count"] == 2
    assert (await api.get("/dead-letters?reason=poison")).data["count"] == 0
    assert (await api.get("/dead-letters?olderThanSeconds=3600")).data["count"] == 0
    preview = await api.post(
        "/dead-letters/retry", {"filter": {"organizationId": "solo"}, "limit": 2, "dryRun": True}
    )
    assert preview.data == {"retried": 2, "dryRun": True}
    assert api.queued() == {}
    done = await api.post("/dead-letters/retry", {"filter": {"organizationId": "solo"}, "limit": 2})
    assert done.data == {"retried": 2, "dryRun": False}
    assert api.queued() == {"refused": 2}
    assert (await api.request("DELETE", "/dead-letters?organizationId=acme&dryRun=true")).data == {
        "deleted": 2,
        "dryRun": True,
    }
    assert (await api.request("DELETE", "/dead-letters?organizationId=acme")).data["deleted"] == 2
    left = (await api.get("/dead-letters")).data["deadLetters"]
    assert [letter["organizationId"] for letter in left] == ["solo"]


async def test_one_is_sent_again_once(api: Api, kill: Killer) -> None:
    kill(1, "acme")
    (letter,) = (await api.get("/dead-letters")).data["deadLetters"]
    again = await api.post(f"/dead-letters/{letter['id']}/retry")
    assert (again.status, again.data) == (202, {"id": letter["id"], "status": "queued"})
    assert api.queued() == {"refused": 1}
    assert (await api.post(f"/dead-letters/{letter['id']}/retry")).status == 404


async def test_one_is_dropped_for_good(api: Api, kill: Killer) -> None:
    kill(1, "acme")
    (letter,) = (await api.get("/dead-letters")).data["deadLetters"]
    assert (await api.request("DELETE", f"/dead-letters/{letter['id']}")).data["deleted"] is True
    assert (await api.request("DELETE", f"/dead-letters/{letter['id']}")).status == 404
    assert (await api.get("/dead-letters")).data["count"] == 0


@pytest.mark.parametrize("letter", ["nothing", "1-x", "1-%C2%B2", "99999999999999999999999", "*"])
async def test_an_odd_id_is_not_found(api: Api, letter: str) -> None:
    assert (await api.post(f"/dead-letters/{letter}/retry")).status == 404


@pytest.mark.parametrize(
    ("limit", "status"), [("2.0", 200), ("2e0", 200), ("2.5", 422), ("1e300", 422), ("0.0", 422)]
)
async def test_a_whole_number_may_be_written_with_a_point(api: Api, limit: str, status: int) -> None:
    reply = await api.request(
        "POST",
        "/dead-letters/retry",
        data=f'{{"limit": {limit}}}',
        headers={"Content-Type": "application/json"},
    )
    assert reply.status == status
