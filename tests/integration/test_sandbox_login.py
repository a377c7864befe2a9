"""msal signs in to the sandbox as it does to Entra."""

from __future__ import annotations

from collections.abc import Iterator

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.sandbox_client import app_token, conversation
from tests.sandbox_process import SandboxProcess, running_sandbox
from tests.self_signed import certificate_pair

MAILBOX = "login@acme.example"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--mailbox", MAILBOX, "--no-samples") as process:
        yield process


def test_a_secret_gives_a_token_with_the_roles_of_the_app(sandbox: SandboxProcess) -> None:
    answer = app_token(sandbox)
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["appid"] == sandbox.run["client_id"]
    assert claims["tid"] == sandbox.run["tenant_id"]
    assert set(claims["roles"]) == {"Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite"}
    assert answer["expires_in"] > 3500


def test_localhost_is_a_name_of_the_same_server(sandbox: SandboxProcess) -> None:
    assert "access_token" in app_token(
        sandbox, login_url=sandbox.run["login_url"].replace("127.0.0.1", "localhost")
    )


@pytest.mark.parametrize(
    ("changes", "error", "number"),
    [
        ({"client_credential": "wrong"}, "invalid_client", 7000215),
        ({"client_id": "nobody"}, "unauthorized_client", 700016),
        ({"tenant_id": "00000000-0000-0000-0000-000000000000"}, "invalid_request", 90002),
    ],
)
def test_a_wrong_credential_is_refused_as_entra_does(
    sandbox: SandboxProcess, changes: dict[str, str], error: str, number: int
) -> None:
    answer = app_token(sandbox, **changes)
    assert (answer["error"], answer["error_codes"]) == (error, [number])
    assert answer["error_description"].startswith(f"AADSTS{number}: ")


@pytest.mark.parametrize("with_chain", [True, False], ids=["PS256 and x5c", "RS256 and SHA-1 thumbprint"])
def test_a_certificate_signs_in_where_it_is_registered(sandbox: SandboxProcess, with_chain: bool) -> None:
    private_key, certificate = certificate_pair()
    public = certificate.public_bytes(Encoding.PEM).decode()
    sandbox.admin("POST", "apps", {"client_id": "by-certificate", "certificate": public})
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - what msal takes
    named = {"public_certificate": public} if with_chain else {"thumbprint": thumbprint}
    credential = {"private_key": private_key, **named}
    assert "access_token" in app_token(sandbox, client_id="by-certificate", client_credential=credential)

    stranger, other = certificate_pair()
    credential = {"private_key": stranger, "public_certificate": other.public_bytes(Encoding.PEM).decode()}
    refused = app_token(sandbox, client_id="by-certificate", client_credential=credential)
    assert refused["error_codes"] == [700027]


async def test_a_token_expires(sandbox: SandboxProcess) -> None:
    sandbox.behave(token_life_s=0)
    try:
        async with conversation(sandbox) as graph:
            reply = await graph.get(f"/users/{MAILBOX}/messages")
    finally:
        sandbox.behave(token_life_s=3900)
    assert (reply.status, reply.code) == (401, "InvalidAuthenticationToken")
    assert "Bearer" in reply.headers["WWW-Authenticate"]


async def test_revoked_and_invented_tokens_are_refused(sandbox: SandboxProcess) -> None:
    async with conversation(sandbox) as graph:
        assert (await graph.get(f"/users/{MAILBOX}/messages")).status == 200
        sandbox.admin("POST", "revoke-tokens")
        assert (await graph.get(f"/users/{MAILBOX}/messages")).status == 401
        graph.token = "invented"
        assert (await graph.get(f"/users/{MAILBOX}/messages")).status == 401


async def test_an_app_needs_the_role_and_the_mailbox(sandbox: SandboxProcess) -> None:
    sandbox.add_mailbox("other@acme.example")
    sandbox.admin(
        "POST",
        "apps",
        {"client_id": "reader", "client_secret": "s", "roles": ["Mail.Read"], "allowed_mailboxes": [MAILBOX]},
    )
    token = app_token(sandbox, client_id="reader", client_credential="s")["access_token"]
    async with conversation(sandbox, token) as graph:
        assert (await graph.get(f"/users/{MAILBOX}/messages")).status == 200
        write = await graph.call("POST", f"/users/{MAILBOX}/messages", {"subject": "x"})
        assert (write.status, write.code) == (403, "ErrorAccessDenied")
        assert (await graph.get("/users/other@acme.example/messages")).status == 403


async def test_tenants_do_not_see_each_others_mailboxes(sandbox: SandboxProcess) -> None:
    tenant = "11111111-2222-4333-8444-555555555555"
    sandbox.admin("POST", "apps", {"client_id": "stranger", "client_secret": "s", "tenant_id": tenant})
    sandbox.add_mailbox("away@other.example", tenant_id=tenant)
    token = app_token(sandbox, tenant_id=tenant, client_id="stranger", client_credential="s")["access_token"]
    async with conversation(sandbox, token) as graph:
        assert (await graph.get("/users/away@other.example/messages")).status == 200
        refused = await graph.get(f"/users/{MAILBOX}/messages")
        assert (refused.status, refused.code) == (404, "ErrorInvalidUser")
