"""Every route x {no key, wrong key, key that lacks the scope, key of another organization, own key}.

Generated from the route table: a new route fails here until it is said how it is called and whose it is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
import redis
import redis.asyncio

from api.app import ROUTE_TABLE, create_app
from api.envelope import timestamp
from api.routes import Route
from tests.api_service import SUPPORT, Api, Reply, serving
from tests.dead_letters import Killer
from workers.reports import files
from workers.scopes import SCOPES, Scope
from workers.settings import load_settings
from workers.store import Change, Correction, Delivery, NewJob, NewMessage, Store, Subscription
from workers.store.api_keys import new_key

OWNER, OTHER = "acme", "solo"
AT = "2026-11-22T10:00:00.000Z"
NOWHERE = "http://127.0.0.1:1"
Headers = dict[str, str]
Answers = Literal["not found", "nothing of theirs", "the same for all"]


@dataclass(frozen=True)
class Call:
    """How a route is called about something of OWNER's, and what a key of OTHER is answered."""

    answers: Answers
    path: str = ""
    body: Any = None
    own_status: int = 200


EMAIL = {"messageId": "m1", "organizationId": OWNER, "mailbox": SUPPORT}
CALLS: Mapping[tuple[str, str], Call] = {
    ("POST", "/emails/process"): Call("not found", body=EMAIL, own_status=202),
    ("POST", "/emails/process/bulk"): Call(
        "not found", body={"messageIds": ["m1"], "organizationId": OWNER, "mailbox": SUPPORT}, own_status=202
    ),
    ("GET", "/emails/{messageId}"): Call("not found", f"/emails/m1?organizationId={OWNER}"),
    # No worker is here: it is not waited for.
    ("POST", "/emails/{messageId}/feedback"): Call(
        "not found", "/emails/m1/feedback", {"organizationId": OWNER, "category": "sales"}, own_status=202
    ),
    ("DELETE", "/emails/{messageId}/feedback"): Call(
        "not found", f"/emails/m1/feedback?organizationId={OWNER}"
    ),
    ("GET", "/organizations/{id}/learning"): Call("not found", f"/organizations/{OWNER}/learning"),
    ("GET", "/jobs/{jobId}"): Call("not found", "/jobs/job-1"),
    ("POST", "/mailboxes/{mailbox}/sync"): Call("not found", f"/mailboxes/{SUPPORT}/sync", own_status=202),
    ("GET", "/subscriptions"): Call("nothing of theirs"),
    # No public URL is set here: that is said to the owner alone.
    ("POST", "/subscriptions"): Call("not found", body={"mailbox": SUPPORT}, own_status=409),
    # Graph cannot be reached here: the owner gets as far as asking it.
    ("DELETE", "/subscriptions/{id}"): Call("not found", "/subscriptions/subscription-1", own_status=502),
    ("GET", "/organizations"): Call("nothing of theirs"),
    ("POST", "/organizations/{id}/pause"): Call("not found", f"/organizations/{OWNER}/pause"),
    ("POST", "/organizations/{id}/resume"): Call("not found", f"/organizations/{OWNER}/resume"),
    ("GET", "/organizations/{id}/webhooks"): Call("not found", f"/organizations/{OWNER}/webhooks"),
    ("GET", "/organizations/{id}/webhooks/{name}/deliveries"): Call(
        "not found", f"/organizations/{OWNER}/webhooks/crm/deliveries"
    ),
    ("POST", "/organizations/{id}/webhooks/{name}/deliveries/{eventId}/replay"): Call(
        "not found", f"/organizations/{OWNER}/webhooks/crm/deliveries/evt_1/replay", own_status=202
    ),
    ("GET", "/dead-letters"): Call("nothing of theirs"),
    ("POST", "/dead-letters/{id}/retry"): Call("not found", "/dead-letters/{letter}/retry", own_status=202),
    ("POST", "/dead-letters/retry"): Call("nothing of theirs", body={}),
    ("DELETE", "/dead-letters/{id}"): Call("not found", "/dead-letters/{letter}"),
    ("DELETE", "/dead-letters"): Call("nothing of theirs"),
    ("GET", "/audit"): Call("nothing of theirs"),
    ("GET", "/reports"): Call("nothing of theirs"),
    ("GET", "/reports/{date}"): Call("not found", "/reports/2026-11-21"),
    ("GET", "/exports"): Call("nothing of theirs"),
    ("GET", "/exports/{organizationId}/{week}/{file}"): Call(
        "not found", f"/exports/{OWNER}/2026-W47/ledger.csv"
    ),
    ("GET", "/openapi.json"): Call("the same for all"),
    ("GET", "/docs"): Call("the same for all"),
    ("GET", "/docs/{file}"): Call("the same for all", "/docs/swagger-ui.css"),
}
# A notification under the name of OWNER's subscription, by somebody who does not know its secret.
FORGED = {"subscriptionId": "subscription-1", "clientState": "guessed", "changeType": "created"}
OPEN_CALLS: Mapping[tuple[str, str], Call] = {
    ("POST", "/listen"): Call("the same for all", body={"value": [FORGED]}, own_status=202),
    ("GET", "/health/live"): Call("the same for all"),
    ("GET", "/health/ready"): Call("the same for all"),
}
OPEN = [route for route in ROUTE_TABLE if route.needs == "nothing"]
GUARDED = [route for route in ROUTE_TABLE if route.needs != "nothing"]
OF_AN_ORGANIZATION = [route for route in GUARDED if not route.whole_service]
OF_THE_SERVICE = [route for route in GUARDED if route.whole_service]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.fixture
async def store(async_redis: redis.asyncio.Redis) -> Store:
    return Store.over(async_redis, load_settings())


async def key(store: Store, *scopes: Scope, of: Sequence[str] = (OWNER,)) -> Headers:
    made, text = new_key("test", scopes, organizations=of)
    await store.api_keys.add(made)
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
async def others(store: Store) -> Headers:
    """A key of the other organization, good for everything there."""
    return await key(store, *SCOPES, of=[OTHER])


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
            await key(store, *(scope for scope in SCOPES if scope != missing), of=of) for of in ([OWNER], [])
        ]
        for missing in SCOPES
    }


@pytest.fixture
async def api(
    redis_url: str,
    tmp_path: Path,
    store: Store,
    others: Headers,
    owners: Headers,
    anyones: Headers,
    lacking: Mapping[str, list[Headers]],
) -> AsyncIterator[Api]:
    """An API that knows these keys, and in which OWNER has one of everything but dead letters."""
    await store.jobs.record(NewJob("job-1", "process_email", OWNER, timestamp())).write(store.redis)
    await store.ledger.record(OWNER, SUPPORT, [NewMessage("m1", {"subject": "Hola"})])
    times = ("2099-01-01T00:00:00+00:00", "2026-11-22T10:00:00+00:00")
    await store.subscriptions.save(Subscription("subscription-1", OWNER, SUPPORT, "inbox", "s", *times))
    await store.audit.note(Change("organization.paused", "brake", OWNER))
    correction = Correction("m1", 1, "person", "key:1", {"category": "sales"}, {}, b"")
    await store.corrections.keep(OWNER, correction, {})
    await store.webhooks.log(OWNER, "crm", Delivery("evt_1", "email.done", AT, "failed", 1, 500, "", 3, AT))
    write_files(tmp_path / "data")
    async with serving(
        redis_url, tmp_path, graph_url=f"{NOWHERE}/v1.0", login_url=NOWHERE, graph_timeout_s=1.0
    ) as api:
        yield api


def write_files(data_dir: Path) -> None:
    files.write(data_dir, OWNER, date(2026, 11, 21), "json", b"{}")
    week = data_dir / "exports" / OWNER / "2026-W47"
    week.mkdir(parents=True)
    (week / "ledger.csv").write_text("a,b\r\n")
    manifest = {"from": "2026-11-16", "until": "2026-11-23", "records": 0, "files": []}
    (week / "manifest.json").write_text(json.dumps(manifest))


async def call(api: Api, route: Route, headers: Headers) -> Reply:
    wanted = CALLS.get((route.method, route.path), Call("not found"))
    path = wanted.path or route.path.replace("{jobId}", "cleanup")
    if "{letter}" in path:
        letters, _ = api.queue.dead_letters.page()
        path = path.replace("{letter}", letters[0].id)
    body = {"schedule": "0 4 * * *"} if route.method == "PUT" else wanted.body
    options = {} if body is None else {"json": body}
    return await api.request(route.method, path, headers={**headers, "Prefer": "wait=0"}, **options)


@pytest.fixture
def kill(redis_client: redis.Redis) -> Killer:
    return Killer(redis_client)


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
    wanted = OPEN_CALLS[route.method, route.path]
    path = wanted.path or route.path
    options = {} if wanted.body is None else {"json": wanted.body}
    replies = [
        await api.request(route.method, path, headers=given, **options) for given in ({}, others, owners)
    ]
    assert {reply.status for reply in replies} == {wanted.own_status}
    for reply in replies:
        assert OWNER not in reply.body.decode() and SUPPORT not in reply.body.decode()
    assert api.queued() == {}


@pytest.mark.parametrize("route", GUARDED, ids=name_of)
async def test_nobody_without_a_key_that_is_good_for_it(
    api: Api, lacking: Mapping[str, list[Headers]], kill: Killer, route: Route
) -> None:
    if "dead-letters/{id}" in route.path:
        kill(1, OWNER)
    for headers in ({}, {"Authorization": "Bearer econeura_0123456789ab_wrong"}):
        reply = await call(api, route, headers)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
    for headers in lacking[route.needs]:
        reply = await call(api, route, headers)
        assert (reply.status, reply.json["code"]) == (403, "missing_scope")
    assert api.queued() == {}


@pytest.mark.parametrize("route", OF_AN_ORGANIZATION, ids=name_of)
async def test_a_key_of_another_organization_finds_nothing(
    api: Api, kill: Killer, others: Headers, owners: Headers, route: Route
) -> None:
    wanted = CALLS[route.method, route.path]
    if "dead-letters" in route.path:
        kill(1, OWNER)
    foreign = await call(api, route, others)
    if wanted.answers == "not found":
        assert foreign.status == 404
        assert SUPPORT not in foreign.body.decode()
    elif wanted.answers == "nothing of theirs":
        assert foreign.status == 200
        assert f'"{OWNER}"' not in foreign.body.decode() and SUPPORT not in foreign.body.decode()
        assert count_in(foreign) == (1 if route.path == "/organizations" else 0)
    assert api.queued() == {}
    own = await call(api, route, owners)
    assert own.status == (foreign.status if wanted.answers == "the same for all" else wanted.own_status)
    if wanted.answers == "nothing of theirs":
        assert count_in(own) == 1


def count_in(reply: Reply) -> int:
    """How many a list holds, or how many were dealt with."""
    return int(next(value for value in reply.data.values() if isinstance(value, int)))


@pytest.mark.parametrize(
    "path", ["/subscriptions", "/dead-letters", "/reports", "/reports/2026-11-21", "/exports"]
)
async def test_a_list_cannot_be_turned_to_another_organization(
    api: Api, others: Headers, owners: Headers, path: str
) -> None:
    foreign = await api.get(f"{path}?organizationId={OWNER}", headers=others)
    nobodys = await api.get(f"{path}?organizationId=nobody", headers=others)
    assert (foreign.status, nobodys.status) == (404, 404)
    assert foreign.json["error"].replace(OWNER, "nobody") == nobodys.json["error"]
    assert (await api.get(f"{path}?organizationId={OWNER}", headers=owners)).status == 200


@pytest.mark.parametrize("route", OF_THE_SERVICE, ids=name_of)
async def test_what_is_about_the_whole_service_needs_a_key_of_it(
    api: Api, owners: Headers, anyones: Headers, route: Route
) -> None:
    bound = await call(api, route, owners)
    assert (bound.status, bound.json["code"]) == (403, "bound_key")
    assert (await call(api, route, anyones)).status in (200, 202)
