"""Two organizations, every route, each other's ids: to each the other is as if it did not exist.

Generated: of each call of a route, every mixture of own ids and ids of the other is tried, and answered as
the same call with ids that nobody has.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from api.app import ROUTE_TABLE
from api.routes import Route
from tests.api_calls import CALLS, Call, name_of
from tests.api_service import DOCUMENT, Api, Reply, serving
from tests.dead_letters import Killer
from tests.two_organizations import Belongings, belongings, furnish, settings_of, told_of
from workers.scopes import SCOPES
from workers.settings import load_settings
from workers.store import Store
from workers.store.api_keys import new_key

NOWHERE = "http://127.0.0.1:1"
NOBODY = belongings("nadie")
SHARED = ("day", "week")
# New with each answer: times, and the ids of jobs.
_NEW = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LETTERS = 8
OF_AN_ORGANIZATION = [route for route in ROUTE_TABLE if route.needs != "nothing" and not route.whole_service]


@dataclass(frozen=True)
class Two:
    """A running service; `ours` is whose key calls, `theirs` what must stay out of its sight."""

    api: Api
    ours: Belongings
    theirs: Belongings
    key: Mapping[str, str]
    unbound_key: Mapping[str, str]

    async def call(self, route: Route, call: Call, ids: Belongings) -> Reply:
        path, body = call.about(ids)
        options = {} if body is None else {"json": body}
        headers = {**self.key, "Prefer": "wait=0"}
        return await self.api.request(route.method, path, headers=headers, **options)


@pytest.fixture(params=[("norte", "sureste"), ("sureste", "norte")], ids=" asks about ".join)
async def two(
    request: pytest.FixtureRequest,
    redis_url: str,
    async_redis: redis.asyncio.Redis,
    tmp_path: Path,
    kill: Killer,
) -> AsyncIterator[Two]:
    ours, theirs = map(belongings, request.param)
    store = Store.over(async_redis, load_settings())
    for owner in (theirs, ours):
        await furnish(store, tmp_path / "data", kill, owner, letters=_LETTERS)
    key, unbound_key = [await keyed(store, organizations) for organizations in ([ours["organization"]], [])]
    graph: Mapping[str, Any] = {"graph_url": f"{NOWHERE}/v1.0", "login_url": NOWHERE, "graph_timeout_s": 1.0}
    async with serving(redis_url, tmp_path, organizations=settings_of(ours, theirs), **graph) as api:
        letter = {
            owner["organization"]: one.id
            for owner in (ours, theirs)
            for one in api.queue.dead_letters.page(limit=_LETTERS * 2)[0]
            if one.organization_id == owner["organization"]
        }
        ours, theirs = ({**owner, "letter": letter[owner["organization"]]} for owner in (ours, theirs))
        yield Two(api, ours, theirs, key, unbound_key)


async def keyed(store: Store, organizations: list[str]) -> Mapping[str, str]:
    """A key that is good for everything there."""
    made, text = new_key("test", SCOPES, organizations=organizations)
    await store.api_keys.add(made)
    return {"Authorization": f"Bearer {text}"}


def mixtures(call: Call) -> Iterator[tuple[str, ...]]:
    """Which of the ids are the other's: every choice but none."""
    names = [name for name in call.names if name not in SHARED]
    for size in range(1, len(names) + 1):
        yield from itertools.combinations(names, size)


def test_every_operation_of_the_document_has_a_call() -> None:
    documented = {
        (method.upper(), path)
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        if operation["security"] and not operation["x-whole-service"]
    }
    assert documented == set(CALLS) == {(route.method, route.path) for route in OF_AN_ORGANIZATION}


async def test_another_organization_is_as_if_it_did_not_exist(two: Two, redis_client: redis.Redis) -> None:
    word = two.theirs["organization"]
    before = told_of(redis_client, word)
    assert len(before) > 10
    wrong, tried = [], 0
    for route in OF_AN_ORGANIZATION:
        for call in CALLS[route.method, route.path]:
            for foreign in mixtures(call):
                asked = {**two.ours, **{name: two.theirs[name] for name in foreign}}
                nobodys = {**two.ours, **{name: NOBODY[name] for name in foreign}}
                answered = plain(await two.call(route, call, asked), asked)
                expected = plain(await two.call(route, call, nobodys), nobodys)
                tried += 1
                if answered != expected:
                    wrong.append(f"{name_of(route)} with their {foreign}: {answered}, in place of {expected}")
                elif word in answered[1]:
                    wrong.append(f"{name_of(route)} with their {foreign} tells of them: {answered[1]}")
    assert wrong == []
    assert tried > 80
    assert told_of(redis_client, word) >= before, "nothing of theirs was changed"


async def test_who_has_it_gets_it_and_nothing_of_the_other(two: Two, redis_client: redis.Redis) -> None:
    """The same calls with own ids alone: they do find what they name, and lists hold what is the caller's."""
    word = two.theirs["organization"]
    before = told_of(redis_client, word)
    wrong = []
    for route in OF_AN_ORGANIZATION:
        for call in CALLS[route.method, route.path]:
            letters, _ = two.api.queue.dead_letters.page(limit=_LETTERS * 2)
            mine = next(one.id for one in letters if one.organization_id == two.ours["organization"])
            reply = await two.call(route, call, {**two.ours, "letter": mine})
            text = reply.body.decode()
            if reply.status != call.own_status:
                wrong.append(f"{name_of(route)}: {reply.status} {text}")
            if word in text:
                wrong.append(f"{name_of(route)} tells of the other: {text}")
            if call.own_status == 200 and not call.same_for_all and not finds_something(reply):
                wrong.append(f"{name_of(route)} finds nothing: {text}")
    assert wrong == []
    assert told_of(redis_client, word) >= before, "nothing of theirs was changed"


async def test_what_is_the_same_for_all_is_the_same_without_an_organization(two: Two) -> None:
    for route in OF_AN_ORGANIZATION:
        for call in CALLS[route.method, route.path]:
            if call.same_for_all:
                bound = await two.call(route, call, two.ours)
                whole = await two.api.get(call.path, headers=two.unbound_key)
                assert bound.status == 200 and bound.body == whole.body


def plain(reply: Reply, ids: Belongings) -> tuple[int, str]:
    """An answer without what differs from call to call; ids that were sent are called by their names."""
    text = _NEW.sub("new", reply.body.decode())
    for name in sorted(set(ids) - {*SHARED, "letter"}, key=lambda name: -len(ids[name])):
        text = text.replace(ids[name], f"<{name}>")
    return reply.status, text


def finds_something(reply: Reply) -> bool:
    """A thing, or a list that is not empty, or a number dealt with."""
    if not reply.headers["Content-Type"].startswith("application/json") or "data" not in reply.json:
        return len(reply.body) > 0
    numbers = [value for value in reply.data.values() if type(value) is int]
    return not numbers or numbers[0] > 0
