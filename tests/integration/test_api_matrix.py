"""Every route x {no key, wrong key, key that lacks the scope, key bound to an organization, unbound key}.

Generated from the route table: a new route fails here until it is said how it is called. What a key of one
organization may see of another is in test_api_two_organizations.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from api.app import ROUTE_TABLE, create_app
from api.routes import Route
from tests.api_calls import CALLS, Call, name_of
from tests.api_service import Api, Reply, serving
from tests.dead_letters import Killer
from tests.two_organizations import belongings, furnish, settings_of
from workers.scopes import SCOPES, Scope
from workers.settings import load_settings
from workers.store import Store
from workers.store.api_keys import new_key

OWNER, OTHER = belongings("norte"), belongings("sureste")
NOWHERE = "http://127.0.0.1:1"
Headers = dict[str, str]
# A notification under the name of OWNER's subscription, by somebody who does not know its secret.
FORGED = {"subscriptionId": OWNER["subscription"], "clientState": "guessed", "changeType": "created"}
OPEN_CALLS: Mapping[tuple[str, str], Call] = {
    ("POST", "/listen"): Call("/listen", {"value": [FORGED]}, 202),
    ("GET", "/health/live"): Call("/health/live"),
    ("GET", "/health/ready"): Call("/health/ready"),
}
SERVICE_CALLS: Mapping[tuple[str, str], Call] = {
    ("PUT", "/cron/jobs/{jobId}/schedule"): Call("/cron/jobs/cleanup/schedule", {"schedule": "0 4 * * *"})
}
OPEN = [route for route in ROUTE_TABLE if route.needs == "nothing"]
GUARDED = [route for route in ROUTE_TABLE if route.needs != "nothing"]
OF_AN_ORGANIZATION = [route for route in GUARDED if not route.whole_service]
OF_THE_SERVICE = [route for route in GUARDED if route.whole_service]


@pytest.fixture
async def store(async_redis: redis.asyncio.Redis) -> Store:
    return Store.over(async_redis, load_settings())


async def key(store: Store, *scopes: Scope, of: Sequence[str] = (OWNER["organization"],)) -> Headers:
    made, text = new_key("test", scopes, organizations=of)
    await store.api_keys.add(made)
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
async def others(store: Store) -> Headers:
    """A key of the other organization, good for everything there."""
    return await key(store, *SCOPES, of=[OTHER["organization"]])


@pytest.fixture
async def owners(store: Store) -> Headers:
    return await key(store, *SCOPES)


@pytest.fixture
async def anyones(store: Store) -> Headers:
    """A key of the whole service."""
    return await key(store, *SCOPES, of=[])


@pytest.fixture
async def lacking(store: Store) -> Mapping[str, list[Headers]]:
    """Scope -> keys that have all others: one of OWNER's, one of the whole service."""
    return {
        missing: [
            await key(store, *(scope for scope in SCOPES if scope != missing), of=of)
            for of in ([OWNER["organization"]], [])
        ]
        for missing in SCOPES
    }


@pytest.fixture
async def api(
    redis_url: str,
    tmp_path: Path,
    store: Store,
    kill: Killer,
    others: Headers,
    owners: Headers,
    anyones: Headers,
    lacking: Mapping[str, list[Headers]],
) -> AsyncIterator[Api]:
    """An API that knows these keys, and in which OWNER has one of everything."""
    await furnish(store, tmp_path / "data", kill, OWNER, letters=1)
    graph: Mapping[str, Any] = {"graph_url": f"{NOWHERE}/v1.0", "login_url": NOWHERE, "graph_timeout_s": 1.0}
    async with serving(redis_url, tmp_path, organizations=settings_of(OWNER, OTHER), **graph) as api:
        yield api


async def call(api: Api, route: Route, headers: Headers) -> Reply:
    """The route's first call, about what is OWNER's."""
    name = (route.method, route.path)
    fallback = Call(route.path.replace("{jobId}", "cleanup"))
    wanted = CALLS[name][0] if name in CALLS else {**OPEN_CALLS, **SERVICE_CALLS}.get(name, fallback)
    letters, _ = api.queue.dead_letters.page()
    path, body = wanted.about({**OWNER, "letter": letters[0].id})
    options = {} if body is None else {"json": body}
    return await api.request(route.method, path, headers={**headers, "Prefer": "wait=0"}, **options)


def test_every_route_is_in_the_matrix() -> None:
    assert {(route.method, route.path) for route in OF_AN_ORGANIZATION} == set(CALLS)
    assert {(route.method, route.path) for route in OPEN} == set(OPEN_CALLS)
    assert len(OF_AN_ORGANIZATION) + len(OF_THE_SERVICE) + len(OPEN) == len(ROUTE_TABLE)


def test_nothing_is_served_that_is_not_in_the_table() -> None:
    app = create_app(load_settings(redis_url="redis://127.0.0.1:1"))
    served = [
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
    ]
    assert len(served) == len(app.router.routes())
    assert sorted(served) == sorted((route.method, route.path) for route in ROUTE_TABLE)


@pytest.mark.parametrize("route", OPEN, ids=name_of)
async def test_what_is_open_to_all_tells_nothing_of_anybody(
    api: Api, others: Headers, owners: Headers, route: Route
) -> None:
    replies = [await call(api, route, given) for given in ({}, others, owners)]
    assert {reply.status for reply in replies} == {OPEN_CALLS[route.method, route.path].own_status}
    assert [reply.body for reply in replies if OWNER["organization"] in reply.body.decode()] == []
    assert api.queued() == {}


@pytest.mark.parametrize("route", GUARDED, ids=name_of)
async def test_nobody_without_a_key_that_is_good_for_it(
    api: Api, lacking: Mapping[str, list[Headers]], route: Route
) -> None:
    for headers in ({}, {"Authorization": "Bearer econeura_0123456789ab_wrong"}):
        reply = await call(api, route, headers)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
    for headers in lacking[route.needs]:
        reply = await call(api, route, headers)
        assert (reply.status, reply.json["code"]) == (403, "missing_scope")
    assert api.queued() == {}
    assert api.queue.stats().dead == 1


@pytest.mark.parametrize("route", OF_THE_SERVICE, ids=name_of)
async def test_what_is_about_the_whole_service_needs_a_key_of_it(
    api: Api, owners: Headers, anyones: Headers, route: Route
) -> None:
    bound = await call(api, route, owners)
    assert (bound.status, bound.json["code"]) == (403, "bound_key")
    assert (await call(api, route, anyones)).status in (200, 202)
