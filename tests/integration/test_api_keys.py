"""API keys in the api: known within a second, good for their scopes and their organization, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import orjson
import pytest
import redis.asyncio

from api.wiring import KEYRING
from tests.api_service import Api, serving, soon
from tests.redis_process import RedisProcess
from workers.scopes import SCOPES, Scope
from workers.settings import load_settings
from workers.store import ApiKeys, Store
from workers.store.api_keys import new_key

ANYWHERE = "0.0.0.0"  # noqa: S104 what a container listens on
BOOTSTRAP = "k3y-" + "0123456789abcdef" * 2


@pytest.fixture
def keys(async_redis: redis.asyncio.Redis) -> ApiKeys:
    return Store.over(async_redis, load_settings()).api_keys


async def made(
    keys: ApiKeys,
    *scopes: Scope,
    organizations: Sequence[str] = (),
    expires_in_s: float | None = None,
) -> dict[str, str]:
    """Headers with a new key of these scopes (none named: all)."""
    key, text = new_key("test", scopes or SCOPES, organizations=organizations, expires_in_s=expires_in_s)
    await keys.add(key)
    return bearer(text)


async def reads(client: redis.asyncio.Redis, *, more: int) -> None:
    """Return once hashes (the keys) were read so many times more."""

    async def count() -> int:
        return int((await client.info("commandstats"))["cmdstat_hgetall"]["calls"])

    wanted = await count() + more
    async with asyncio.timeout(10):
        while await count() < wanted:  # noqa: ASYNC110 the fact is in Redis
            await asyncio.sleep(0.01)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(redis_url, tmp_path) as api:
        yield api


async def test_as_soon_as_there_is_a_key_it_is_required(api: Api, keys: ApiKeys) -> None:
    assert (await api.get("/organizations")).status == 200
    headers = await made(keys)
    await soon(lambda: api.app[KEYRING].has_keys)
    assert (await api.get("/organizations")).status == 401
    assert (await api.get("/organizations", headers=headers)).status == 200
    assert (await api.get("/health/ready")).status == 200


async def test_a_key_opens_other_addresses_and_a_revoked_one_does_not_leave_them_open(
    redis_url: str, tmp_path: Path, keys: ApiKeys
) -> None:
    headers = await made(keys)
    async with serving(redis_url, tmp_path, host=ANYWHERE) as api:
        assert (await api.get("/organizations", headers=headers)).status == 200
        (key_id,) = await keys.all()
        assert await keys.revoke(key_id)
        await soon(lambda: not api.app[KEYRING].has_keys)
        assert (await api.get("/organizations", headers=headers)).status == 401
        assert (await api.get("/organizations")).status == 401


async def test_an_expired_key_is_refused_and_still_keeps_the_door_shut(
    redis_url: str, tmp_path: Path, keys: ApiKeys
) -> None:
    headers = await made(keys, expires_in_s=0.001)
    async with serving(redis_url, tmp_path) as api:
        assert (await api.get("/organizations", headers=headers)).status == 401
        assert (await api.get("/organizations")).status == 401


async def test_the_id_of_one_key_does_not_go_with_the_secret_of_another(
    redis_url: str, tmp_path: Path, keys: ApiKeys
) -> None:
    (_, one), (other_key, other) = new_key("one", ["read"]), new_key("other", ["admin"])
    await keys.add(other_key)
    secret = one.rpartition(one[9:21])[2]
    forged = f"econeura_{other_key.id}{secret}"
    async with serving(redis_url, tmp_path) as api:
        for text in (one, forged, "econeura_", f"econeura_{other_key.id}_", other + " "):
            assert (await api.get("/cron/jobs", headers=bearer(text.strip()))).status in (401, 403)
        assert (await api.get("/cron/jobs", headers=bearer(forged))).status == 401
        assert (await api.get("/cron/jobs", headers=bearer(other))).status == 403


async def test_only_a_salted_hash_is_kept(keys: ApiKeys, async_redis: redis.asyncio.Redis) -> None:
    headers = await made(keys)
    text = headers["Authorization"].partition(" ")[2]
    (stored,) = (await async_redis.hgetall("{econeura}:api-keys")).values()
    assert text.rpartition("_")[2].encode() not in stored
    (key,) = (await keys.all()).values()
    assert text not in repr(key) and key.is_made_of(text) and key.salt


async def test_when_a_key_was_last_used_is_told_without_a_step_for_each_request(
    redis_url: str, tmp_path: Path, keys: ApiKeys
) -> None:
    headers = await made(keys)
    async with serving(redis_url, tmp_path) as api:
        before = (await api.store.redis.info("commandstats")).get("cmdstat_hset", {}).get("calls", 0)
        for _ in range(20):
            assert (await api.get("/organizations", headers=headers)).status == 200
        after = (await api.store.redis.info("commandstats")).get("cmdstat_hset", {}).get("calls", 0)
        assert after == before
        assert await keys.last_used_ms() == {}
    (key,) = (await keys.all()).values()
    assert (await keys.last_used_ms())[key.id] >= key.created_ms


async def test_the_key_of_the_file_becomes_the_first_key(
    redis_url: str, tmp_path: Path, keys: ApiKeys
) -> None:
    path = tmp_path / "key"
    path.write_text(BOOTSTRAP)
    async with serving(redis_url, tmp_path, bootstrap_key_file=path) as first:
        assert (await first.get("/cron/jobs", headers=bearer(BOOTSTRAP))).status == 200
        (key,) = (await keys.all()).values()
        assert (key.id, key.scopes, key.organizations) == ("bootstrap", SCOPES, ())
    async with serving(redis_url, tmp_path) as second:
        assert (await second.get("/cron/jobs")).status == 401
        assert (await second.get("/cron/jobs", headers=bearer(BOOTSTRAP))).status == 200


async def test_the_key_of_prometheus_reads_and_no_more(redis_url: str, tmp_path: Path, keys: ApiKeys) -> None:
    first, metrics = tmp_path / "key", tmp_path / "metrics-key"
    first.write_text(BOOTSTRAP)
    metrics.write_text(BOOTSTRAP[::-1])
    async with serving(redis_url, tmp_path, bootstrap_key_file=first, metrics_key_file=metrics) as api:
        headers = bearer(BOOTSTRAP[::-1])
        assert (await api.get("/metrics", headers=headers)).status == 200
        assert (await api.post("/cron/jobs/cleanup/run", headers=headers)).json["code"] == "missing_scope"
        assert (await api.post("/cron/jobs/cleanup/run", headers=bearer(BOOTSTRAP))).status == 202
        assert (await api.get("/metrics", headers=bearer("k3y-" + "f" * 32))).status == 401
    assert {key.id: key.scopes for key in (await keys.all()).values()} == {
        "bootstrap": SCOPES,
        "metrics": ("read",),
    }


async def test_while_redis_is_away_the_keys_last_read_hold(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path / "redis").start()
    try:
        client = redis.asyncio.Redis.from_url(server.url)
        headers = await made(Store.over(client, load_settings()).api_keys)
        await client.aclose()
        async with serving(server.url, tmp_path) as api:
            server.stop()
            async with asyncio.timeout(20):
                assert (await api.get("/openapi.json", headers=headers)).status == 200
                assert (await api.get("/openapi.json")).status == 401
    finally:
        server.stop()


async def test_where_redis_never_told_its_keys_nobody_is_let_in(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(BOOTSTRAP)
    async with serving("redis://127.0.0.1:1", tmp_path) as api:
        reply = await api.get("/openapi.json")
        assert (reply.status, reply.json["code"]) == (503, "keys_unknown")
        assert (await api.get("/health/live")).status == 200
    async with serving("redis://127.0.0.1:1", tmp_path, bootstrap_key_file=path) as api:
        assert (await api.get("/openapi.json", headers=bearer(BOOTSTRAP))).status == 200
        assert (await api.get("/openapi.json", headers=bearer("econeura_x_y"))).status == 503
        assert (await api.get("/openapi.json")).status == 401


async def test_a_key_may_be_good_for_several_organizations(api: Api, keys: ApiKeys) -> None:
    headers = await made(keys, organizations=["acme", "solo"])
    await soon(lambda: api.app[KEYRING].has_keys)
    assert (await api.get("/organizations", headers=headers)).data["count"] == 2
    assert (await api.get("/organizations", headers=await only(api, keys, "solo"))).data["count"] == 1
    assert (await api.get("/dead-letters?organizationId=acme", headers=headers)).status == 200
    assert (await api.get("/dead-letters?organizationId=nobody", headers=headers)).status == 404
    assert (await api.get("/cron/jobs", headers=headers)).json["code"] == "bound_key"


async def only(api: Api, keys: ApiKeys, organization_id: str) -> dict[str, str]:
    """Headers with a new key of one organization, known to the api."""
    headers = await made(keys, organizations=[organization_id])
    text = headers["Authorization"].partition(" ")[2]
    await soon(lambda: api.app[KEYRING].find(text))
    return headers


async def test_a_key_of_another_release_is_never_good_for_more(
    keys: ApiKeys, async_redis: redis.asyncio.Redis
) -> None:
    """A release that knows one organization for each key reads `organization_id`, and there null is all."""
    await made(keys, organizations=["acme", "solo"])
    await made(keys)
    stored = [orjson.loads(raw) for raw in (await async_redis.hgetall("{econeura}:api-keys")).values()]
    assert sorted(str(key["organization_id"]) for key in stored) == ["None", "acme"]
    former = {name: value for name, value in stored[0].items() if name != "organizations"}
    for organization_id, read in (("acme", ("acme",)), (None, ())):
        text = orjson.dumps({**former, "organization_id": organization_id, "a_field_of_tomorrow": 1})
        await async_redis.hset("{econeura}:api-keys", former["id"], text)
        assert (await keys.all())[former["id"]].organizations == read


async def test_what_is_no_key_does_not_open_the_door(
    redis_url: str, tmp_path: Path, async_redis: redis.asyncio.Redis, keys: ApiKeys
) -> None:
    headers = await made(keys)
    async with serving(redis_url, tmp_path) as api:
        await async_redis.delete("{econeura}:api-keys")
        await async_redis.hset("{econeura}:api-keys", "x", "{}")
        await reads(async_redis, more=2)
        assert (await api.get("/organizations")).status == 401
        assert (await api.get("/organizations", headers=headers)).status == 200
