"""Bearer tokens of Entra ID: whose are taken, for what, and what happens while the issuer's keys change."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import jwt
import pytest

from api.app import create_app
from tests.api_service import Api, serving, soon
from tests.token_issuer import AUDIENCE, Issuer, private_key
from workers.errors import SettingsError
from workers.settings import load_settings

ANYWHERE = "0.0.0.0"  # noqa: S104 what a container listens on


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer.running() as issuer:
        yield issuer


def trusting(
    redis_url: str, directory: Path, issuer: Issuer, **settings: Any
) -> AbstractAsyncContextManager[Api]:
    chosen = {"entra_issuer": issuer.url, "entra_audience": AUDIENCE, **settings}
    return serving(redis_url, directory, **chosen)


@pytest.fixture
async def api(redis_url: str, tmp_path: Path, issuer: Issuer) -> AsyncIterator[Api]:
    async with trusting(redis_url, tmp_path, issuer, host=ANYWHERE) as api:
        yield api


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_is_good_for_its_roles(api: Api, issuer: Issuer) -> None:
    everything, reader = bearer(issuer.token()), bearer(issuer.token(roles=["read", "somebody.elses"]))
    assert (await api.get("/cron/jobs", headers=everything)).status == 200
    assert (await api.get("/cron/jobs", headers=reader)).status == 200
    lacking = await api.post("/cron/jobs/cleanup/run", headers=reader)
    assert (lacking.status, lacking.json["code"]) == (403, "missing_scope")
    for roles in ([], None, "read", [["read"]]):
        assert (await api.get("/cron/jobs", headers=bearer(issuer.token(roles=roles)))).status == 403


async def test_a_role_of_an_organization_is_good_for_that_one_alone(api: Api, issuer: Issuer) -> None:
    headers = bearer(issuer.token(roles=["read@acme", "read@solo", "operate@solo"]))
    listed = (await api.get("/organizations", headers=headers)).data["organizations"]
    assert {item["id"] for item in listed} == {"acme", "solo"}
    assert (await api.post("/organizations/solo/pause", headers=headers)).status == 200
    assert (await api.post("/organizations/acme/pause", headers=headers)).status == 404
    whole = await api.get("/cron/jobs", headers=headers)
    assert (whole.status, whole.json["code"]) == (403, "bound_key")
    nobodys = bearer(issuer.token(roles=["read@"]))
    assert (await api.get("/organizations", headers=nobodys)).data["count"] == 0
    both = bearer(issuer.token(roles=["read@acme", "read", "read@solo"]))
    assert (await api.get("/cron/jobs", headers=both)).status == 200


async def test_roles_of_the_tenant_are_mapped(redis_url: str, tmp_path: Path, issuer: Issuer) -> None:
    roles = "Mail.Desk=read,submit; Mail.Boss=admin"
    async with trusting(redis_url, tmp_path, issuer, entra_roles=roles) as api:
        assert (await api.get("/cron/jobs", headers=bearer(issuer.token(roles=["Mail.Desk"])))).status == 200
        assert (await api.get("/cron/jobs", headers=bearer(issuer.token(roles=["read"])))).status == 403


def signed_by_secret(issuer: Issuer, secret: bytes) -> str:
    """HS256 with what everybody knows as the secret: jwt.encode itself refuses to make such a token."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "typ": "JWT", "kid": issuer.key_id}, issuer.claims())
    ]
    digest = hmac.new(secret, b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(digest).rstrip(b"=")]).decode()


def refused_tokens(issuer: Issuer) -> dict[str, tuple[str, str]]:
    """Name -> token, and what is said of it."""
    now = int(time.time())
    good = issuer.token()
    head, body, signature = good.split(".")
    shown = json.dumps(issuer.jwks()["keys"][2]).encode()
    return {
        "another issuer": (issuer.token(iss="https://login.evil.example/v2.0"), "another issuer"),
        "another audience": (issuer.token(aud="api://other"), "another audience"),
        "no audience": (issuer.token(aud=None), "not valid"),
        "no issuer": (issuer.token(iss=None), "not valid"),
        "no end": (issuer.token(exp=None), "not valid"),
        "expired": (issuer.token(exp=now - 120), "expired"),
        "not yet valid": (issuer.token(nbf=now + 120), "not valid yet"),
        "alg none": (f"{_b64({'alg': 'none', 'kid': 'first'})}.{body}.", "RS256"),
        "alg none, signature kept": (f"{_b64({'alg': 'none', 'kid': 'first'})}.{body}.{signature}", "RS256"),
        "HS256 with the public key": (signed_by_secret(issuer, shown), "RS256"),
        "another key under the same id": (issuer.token(signed_with="theirs"), "not valid"),
        "unknown key": (issuer.token(signed_with="theirs", key_id="theirs"), "unknown key"),
        "no key named": (jwt.encode(issuer.claims(), private_key("first"), algorithm="RS256"), "RS256"),
        "RS512": (
            jwt.encode(issuer.claims(), private_key("first"), algorithm="RS512", headers={"kid": "first"}),
            "RS256",
        ),
        "other claims under the signature": (
            f"{head}.{_b64(issuer.claims(oid='x'))}.{signature}",
            "not valid",
        ),
        "no signature": (f"{head}.{body}.", "not valid"),
        "an ID token": (issuer.token(azp=None), "no access token"),
        "nobody's": (issuer.token(oid=None, sub=None), "no access token"),
        "no JSON": ("a.b.c", "no token"),
        "a key of another kind": (issuer.token(key_id="another kind"), "unknown key"),
        "a broken key": (issuer.token(key_id="broken"), "unknown key"),
    }


def _b64(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def test_no_other_token_is_taken(api: Api, issuer: Issuer) -> None:
    for name, (token, said) in refused_tokens(issuer).items():
        reply = await api.get("/organizations", headers=bearer(token))
        assert (name, reply.status, reply.json["code"]) == (name, 401, "unauthorized")
        assert said in reply.json["error"], name
        assert reply.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert (await api.get("/organizations")).headers["WWW-Authenticate"] == "Bearer"
    assert (await api.get("/organizations", headers=bearer(issuer.token()))).status == 200


async def test_clocks_may_differ_by_a_minute(api: Api, issuer: Issuer) -> None:
    now = int(time.time())
    for token in (issuer.token(exp=now - 30), issuer.token(nbf=now + 30, iat=now + 30)):
        assert (await api.get("/organizations", headers=bearer(token))).status == 200


async def test_the_keys_are_read_once_and_not_for_each_token(api: Api, issuer: Issuer) -> None:
    await soon(lambda: issuer.reads == 1)
    for _ in range(20):
        assert (await api.get("/organizations", headers=bearer(issuer.token()))).status == 200
    assert issuer.reads == 1


async def test_a_new_key_is_taken_at_once_and_strangers_do_not_make_us_read_again(
    api: Api, issuer: Issuer
) -> None:
    assert (await api.get("/organizations", headers=bearer(issuer.token()))).status == 200
    former = issuer.token()
    issuer.rotate("second")
    assert (await api.get("/organizations", headers=bearer(issuer.token()))).status == 200
    assert (await api.get("/organizations", headers=bearer(former))).status == 401
    for number in range(20):
        forged = issuer.token(signed_with="theirs", key_id=f"theirs-{number}")
        assert (await api.get("/organizations", headers=bearer(forged))).status == 401
    assert issuer.reads == 2


async def test_while_the_issuer_is_away_its_keys_hold(api: Api, issuer: Issuer) -> None:
    assert (await api.get("/organizations", headers=bearer(issuer.token()))).status == 200
    issuer.is_away = True
    unknown = issuer.token(signed_with="theirs", key_id="theirs")
    assert (await api.get("/organizations", headers=bearer(unknown))).status == 401
    assert (await api.get("/organizations", headers=bearer(issuer.token()))).status == 200


async def test_before_its_keys_are_known_nobody_is_let_in_and_may_try_again(
    redis_url: str, tmp_path: Path, issuer: Issuer
) -> None:
    issuer.is_away = True
    async with trusting(redis_url, tmp_path, issuer) as api:
        reply = await api.get("/organizations", headers=bearer(issuer.token()))
        assert (reply.status, reply.json["code"]) == (503, "signing_keys_unknown")
        assert int(reply.headers["Retry-After"]) >= 1
        assert (await api.get("/organizations")).status == 401, "a configured issuer locks the door"
        assert (await api.get("/health/ready")).status == 200


async def test_an_issuer_that_calls_itself_something_else_is_not_believed(
    redis_url: str, tmp_path: Path, issuer: Issuer
) -> None:
    issuer.names_itself = "https://login.evil.example"
    async with trusting(redis_url, tmp_path, issuer) as api:
        assert (await api.get("/organizations", headers=bearer(issuer.token()))).status == 503
        assert issuer.reads == 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"entra_issuer": "https://login.example/t/v2.0"}, "ECONEURA_ENTRA_AUDIENCE"),
        ({"entra_audience": "api://x"}, "ECONEURA_ENTRA_ISSUER"),
        (
            {"entra_issuer": "http://login.example", "entra_audience": "x"},
            "ECONEURA_ENTRA_ISSUER: must be https",
        ),
        ({"entra_roles": "Mail.Desk"}, "ECONEURA_ENTRA_ROLES: 'Mail.Desk': write ROLE=SCOPE,SCOPE"),
        ({"entra_roles": "Mail.Desk=write"}, "ECONEURA_ENTRA_ROLES"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        create_app(load_settings(**settings))
