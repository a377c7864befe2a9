"""App tokens: from the sandbox's login, and from a login that misbehaves on request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding

from tests.graph_access import ORGANIZATION, graph_session, organizations_for
from tests.sandbox_process import SandboxProcess
from tests.self_signed import certificate_pair
from workers.errors import AccessDenied, SettingsError, TemporaryError
from workers.graph import paths
from workers.graph.client import Graph
from workers.graph.tokens import App, Tokens
from workers.organizations import Credential
from workers.settings import load_settings

pytestmark = pytest.mark.sandbox(described=False)


async def read_inbox(graph: Graph, mailbox: str) -> None:
    await graph.get(paths.folder(mailbox, "inbox"), mailbox=mailbox)


class TestWithTheSandbox:
    async def test_many_cold_calls_fetch_one_token(
        self, sandbox: SandboxProcess, mailbox: str, redis_url: str, tmp_path: Path
    ) -> None:
        organizations = organizations_for(sandbox, tmp_path)
        async with graph_session(sandbox, redis_url, organizations) as session:
            tokens = session.of(ORGANIZATION).transport.tokens
            assert len(set(await asyncio.gather(*(tokens.token() for _ in range(20))))) == 1

    async def test_a_revoked_token_is_replaced_and_the_call_goes_through(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        await read_inbox(graph, mailbox)
        sandbox.admin("POST", "revoke-tokens")
        await asyncio.gather(*(read_inbox(graph, mailbox) for _ in range(4)))
        statuses = [call["status"] for call in sandbox.calls(mailbox=mailbox)]
        assert statuses.count(200) == 5

    async def test_a_second_401_is_a_denied_access_naming_the_organization(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph
    ) -> None:
        sandbox.fault("status", mailbox=mailbox, status=401)
        with pytest.raises(AccessDenied, match=f"organization {ORGANIZATION}"):
            await read_inbox(graph, mailbox)
        assert len(sandbox.calls(mailbox=mailbox)) == 2

    async def test_a_certificate_gets_a_token_too(
        self, sandbox: SandboxProcess, mailbox: str, redis_url: str, tmp_path: Path
    ) -> None:
        key, certificate = certificate_pair()
        public = certificate.public_bytes(Encoding.PEM).decode()
        client_id = str(uuid4())
        app = {"tenant_id": sandbox.run["tenant_id"], "client_id": client_id, "certificate": public}
        sandbox.admin("POST", "apps", app)
        organizations = organizations_for(
            sandbox, tmp_path, client_id=client_id, certificate=f"{key}\n{public}"
        )
        async with graph_session(sandbox, redis_url, organizations) as session:
            await read_inbox(session.of(ORGANIZATION), mailbox)

    @pytest.mark.parametrize(
        "wrong",
        [{"secret": "not it"}, {"tenant_id": str(uuid4())}, {"certificate": "no PEM"}],
        ids=lambda w: next(iter(w)),
    )
    async def test_a_broken_credential_is_named_and_not_tried_again_at_once(
        self, sandbox: SandboxProcess, redis_url: str, tmp_path: Path, wrong: dict[str, str]
    ) -> None:
        organizations = organizations_for(sandbox, tmp_path, **wrong)
        async with graph_session(sandbox, redis_url, organizations) as session:
            for _ in range(2):
                with pytest.raises(AccessDenied, match=f"organization {ORGANIZATION}") as denied:
                    await read_inbox(session.of(ORGANIZATION), "soporte@acme.example")
                assert "not it" not in str(denied.value)

    async def test_a_missing_secret_stops_only_its_own_organization(
        self, sandbox: SandboxProcess, mailbox: str, redis_url: str, tmp_path: Path
    ) -> None:
        organizations = organizations_for(sandbox, tmp_path)
        (tmp_path / "credential").unlink()
        async with graph_session(sandbox, redis_url, organizations) as session:
            with pytest.raises(AccessDenied, match="client_secret"):
                await read_inbox(session.of(ORGANIZATION), mailbox)

    async def test_a_login_that_does_not_answer_is_temporary(
        self, sandbox: SandboxProcess, redis_url: str, tmp_path: Path
    ) -> None:
        organizations = organizations_for(sandbox, tmp_path)
        nobody = "https://127.0.0.1:1"
        async with graph_session(sandbox, redis_url, organizations, login_url=nobody) as session:
            with pytest.raises(TemporaryError, match="not reachable"):
                await read_inbox(session.of(ORGANIZATION), "soporte@acme.example")

    async def test_a_login_we_do_not_trust_says_what_to_set(
        self, sandbox: SandboxProcess, redis_url: str, tmp_path: Path
    ) -> None:
        organizations = organizations_for(sandbox, tmp_path)
        async with graph_session(sandbox, redis_url, organizations, ca_file=None) as session:
            with pytest.raises(TemporaryError, match="ECONEURA_CA_FILE"):
                await read_inbox(session.of(ORGANIZATION), "soporte@acme.example")

    async def test_a_changed_file_keeps_tokens_and_forgets_organizations(
        self, sandbox: SandboxProcess, mailbox: str, redis_url: str, tmp_path: Path
    ) -> None:
        async with graph_session(sandbox, redis_url, organizations_for(sandbox, tmp_path)) as session:
            before = session.of(ORGANIZATION)
            session.reload(organizations_for(sandbox, tmp_path, [mailbox]))
            assert session.of(ORGANIZATION) is before
            session.reload(organizations_for(sandbox, tmp_path, client_id=str(uuid4())))
            assert session.of(ORGANIZATION) is not before
            with pytest.raises(SettingsError, match="unknown"):
                session.of("unknown")


@dataclass
class Login:
    """A login server over TLS that answers as it is told."""

    ca_file: Path
    url: str = ""
    life_s: int = 3600
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    discovery_status: int = 200
    fetched: int = 0

    async def discovery(self, request: web.Request) -> web.Response:
        base = f"{self.url}/{request.match_info['tenant']}"
        found = {"token_endpoint": f"{base}/token", "authorization_endpoint": f"{base}/authorize"}
        return web.json_response(found, status=self.discovery_status, headers=self.headers)

    async def token(self, request: web.Request) -> web.Response:
        self.fetched += 1
        if self.text is not None:
            return web.Response(text=self.text)
        issued = {"access_token": f"token {self.fetched}", "expires_in": self.life_s, "token_type": "Bearer"}
        return web.json_response(issued, status=self.status, headers=self.headers)

    def tokens(self) -> Tokens:
        settings = load_settings(login_url=self.url, ca_file=self.ca_file, graph_timeout_s=5.0)
        app = App(ORGANIZATION, str(uuid4()), str(uuid4()))
        return Tokens(app, lambda: Credential(client_secret="secret"), settings)


@pytest.fixture
async def login(tmp_path: Path) -> AsyncIterator[Login]:
    authority = trustme.CA()
    login = Login(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(str(login.ca_file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    app = web.Application()
    app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", login.discovery)
    app.router.add_post("/{tenant}/token", login.token)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    login.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield login
    await runner.cleanup()


class TestAtItsWorst:
    @pytest.mark.parametrize("where", ["status", "discovery_status"])
    @pytest.mark.parametrize("status", [429, 503])
    async def test_a_busy_login_says_when_to_come_back(self, login: Login, where: str, status: int) -> None:
        setattr(login, where, status)
        login.headers = {"Retry-After": "17"}
        with pytest.raises(TemporaryError) as busy:
            await login.tokens().token()
        assert busy.value.retry_after_s == 17

    async def test_it_is_asked_again_after_it_was_busy(self, login: Login) -> None:
        tokens = login.tokens()
        login.status = 503
        with pytest.raises(TemporaryError):
            await tokens.token()
        login.status = 200
        assert await tokens.token() == "token 2"

    @pytest.mark.parametrize("text", ["<html>", '{"access_token": "cut'])
    async def test_a_malformed_answer_is_temporary_and_never_shown(
        self, login: Login, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        login.text = text
        with pytest.raises(TemporaryError) as failed:
            await login.tokens().token()
        assert "cut" not in str(failed.value) + caplog.text

    async def test_a_wrong_tenant_is_a_denied_access(self, login: Login) -> None:
        login.discovery_status = 400
        with pytest.raises(AccessDenied, match=ORGANIZATION):
            await login.tokens().token()

    async def test_a_token_of_long_life_is_fetched_once(self, login: Login) -> None:
        tokens = login.tokens()
        assert {await tokens.token() for _ in range(5)} == {"token 1"}
        assert login.fetched == 1

    async def test_a_token_near_its_end_outlasts_a_login_that_is_down(self, login: Login) -> None:
        tokens = login.tokens()
        # Asked for again after three quarters of its life, and good for the last one.
        login.life_s = 2
        first = await tokens.token()
        login.status = 503
        while login.fetched == 1:
            assert await tokens.token() == first
            await asyncio.sleep(0.01)
        assert await tokens.token() == first

    async def test_only_the_token_that_was_rejected_is_thrown_away(self, login: Login) -> None:
        tokens = login.tokens()
        first = await tokens.token()
        # As many calls get their 401 for the same token: one of them fetches a new one.
        await asyncio.gather(*(tokens.throw_away(first) for _ in range(5)))
        second = await tokens.token()
        await tokens.throw_away(first)
        assert (await tokens.token(), login.fetched) == (second, 2)
