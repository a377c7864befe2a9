"""Whether Graph can reach our webhook: what it does first is done here, from where we stand."""

from __future__ import annotations

from secrets import token_urlsafe

import aiohttp

from workers.checks.finding import Finding, note, ok, problem
from workers.settings import Settings

# Graph gives up after 10 s (Graph change notifications, endpoint validation).
_LIMIT_S = 10.0
_SUBJECT = "webhook"


async def check_webhook(settings: Settings) -> Finding:
    """Do the validation handshake with PUBLIC_URL."""
    if settings.public_url is None:
        return note(_SUBJECT, "ECONEURA_PUBLIC_URL is not set: mailboxes are synced by timer alone")
    url = f"{settings.public_url}/listen"
    token = f"check: {token_urlsafe(16)}"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_LIMIT_S)) as http,
            http.post(url, params={"validationToken": token}, allow_redirects=False) as answer,
        ):
            text = await answer.text()
    except aiohttp.ClientConnectorCertificateError:
        return problem(
            _SUBJECT, f"{url}: its certificate is not trusted; Graph needs one of a public authority"
        )
    except (aiohttp.ClientError, TimeoutError) as unreachable:
        return problem(
            _SUBJECT,
            f"{url} does not answer ({type(unreachable).__name__}): start 'econeura up' or 'econeura api', "
            "and check what forwards this address to it",
        )
    if answer.status == 200 and text == token and answer.content_type == "text/plain":
        return ok(_SUBJECT, f"{url} answers the handshake")
    return problem(
        _SUBJECT,
        f"{url} answers {answer.status} {answer.content_type} in place of the handshake: this address must "
        "lead to the api unchanged and without a login",
    )
