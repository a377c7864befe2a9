"""The sign-in server: OpenID discovery, keys and token endpoint of each tenant, with Entra's error JSON."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from aiohttp import web

from workers.sandbox.tokens import LoginRefused, Tokens

TOKENS = web.AppKey("tokens", Tokens)


def add_login_routes(app: web.Application) -> None:
    app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", _discovery)
    app.router.add_get("/{tenant}/.well-known/openid-configuration", _discovery)
    app.router.add_get("/{tenant}/discovery/v2.0/keys", _keys)
    app.router.add_post("/{tenant}/oauth2/v2.0/token", _token)


async def _discovery(request: web.Request) -> web.Response:
    tenant = request.match_info["tenant"]
    base = f"https://{request.host}/{tenant}"
    return web.json_response(
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "issuer": f"https://sts.windows.net/{tenant if tenant != 'common' else '{tenantid}'}/",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    )


async def _keys(request: web.Request) -> web.Response:
    return web.json_response(request.app[TOKENS].public_keys())


async def _token(request: web.Request) -> web.Response:
    form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    tenant = request.match_info["tenant"]
    # The same server answers under both names of its certificate.
    port = request.url.port
    endpoints = tuple(
        f"https://{host}:{port}/{tenant}/oauth2/v2.0/token" for host in ("127.0.0.1", "localhost")
    )
    try:
        return web.json_response(
            request.app[TOKENS].issue(tenant, form, endpoints), headers={"Cache-Control": "no-store"}
        )
    except LoginRefused as refused:
        return _refusal(refused)


def _refusal(refused: LoginRefused) -> web.Response:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace_id, correlation_id = str(uuid.uuid4()), str(uuid.uuid4())
    return web.json_response(
        {
            "error": refused.error,
            "error_description": (
                f"AADSTS{refused.number}: {refused.description} Trace ID: {trace_id} "
                f"Correlation ID: {correlation_id} Timestamp: {now}"
            ),
            "error_codes": [refused.number],
            "timestamp": now,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"https://login.microsoftonline.com/error?code={refused.number}",
        },
        status=refused.status,
    )
