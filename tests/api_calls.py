"""How each route is called about something that an organization has; matrix tests are generated from it.

`{name}` in a path or a body stands for an id of `Belongings`. A route without a call here fails the tests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.routes import Route

_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Call:
    """A call of a route; `own_status` is what who has those ids is answered where no worker and no Graph is.

    `same_for_all`: it is about nobody's belongings, and answered alike whoever asks.
    """

    path: str
    body: Any = None
    own_status: int = 200
    same_for_all: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The ids it is about."""
        return tuple(dict.fromkeys(_NAME.findall(self.path + json.dumps(self.body))))

    def about(self, ids: Mapping[str, str]) -> tuple[str, Any]:
        """Path and body with these ids in their places."""
        return _filled(self.path, ids), _filled(self.body, ids)


def _filled(template: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(template, str):
        return _NAME.sub(lambda found: ids[found[1]], template)
    if isinstance(template, Mapping):
        return {name: _filled(value, ids) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, ids) for value in template]
    return template


_MESSAGE = {"messageId": "{message}", "organizationId": "{organization}"}
_MESSAGES = {"messageIds": ["{message}"], "organizationId": "{organization}"}
_IN_BOX = {"mailbox": "{mailbox}"}
_IN_ORGANIZATION = {"organizationId": "{organization}"}
_DELIVERIES = "/organizations/{organization}/webhooks/{webhook}/deliveries"
_BY_ORGANIZATION = "?organizationId={organization}"
_ONE_OF_THEM = {"filter": _IN_ORGANIZATION, "limit": 1}
# In the order in which they go: what ends something comes after what needs it.
CALLS: Mapping[tuple[str, str], tuple[Call, ...]] = {
    ("POST", "/emails/process"): (
        Call("/emails/process", _MESSAGE, 202),
        Call("/emails/process", {**_MESSAGE, **_IN_BOX}, 202),
    ),
    ("POST", "/emails/process/bulk"): (
        Call("/emails/process/bulk", _MESSAGES, 202),
        Call("/emails/process/bulk", {**_MESSAGES, **_IN_BOX}, 202),
    ),
    ("GET", "/emails/{messageId}"): (
        Call("/emails/{message}?organizationId={organization}"),
        Call("/emails/{message}?organizationId={organization}&mailbox={mailbox}"),
    ),
    ("POST", "/emails/{messageId}/feedback"): (
        Call("/emails/{message}/feedback", {**_IN_ORGANIZATION, "category": "sales"}, 202),
        Call("/emails/{message}/feedback", {**_IN_ORGANIZATION, **_IN_BOX, "category": "sales"}, 202),
    ),
    ("DELETE", "/emails/{messageId}/feedback"): (
        Call("/emails/{message}/feedback?organizationId={organization}"),
    ),
    ("GET", "/organizations/{id}/learning"): (Call("/organizations/{organization}/learning"),),
    ("GET", "/jobs/{jobId}"): (Call("/jobs/{job}"), Call("/jobs/{bulk_job}")),
    ("POST", "/mailboxes/{mailbox}/sync"): (
        Call("/mailboxes/{mailbox}/sync", own_status=202),
        Call("/mailboxes/{mailbox}/sync", _IN_ORGANIZATION, 202),
    ),
    ("GET", "/subscriptions"): (Call("/subscriptions"), Call("/subscriptions" + _BY_ORGANIZATION)),
    # No public URL is set: that is said to the owner alone.
    ("POST", "/subscriptions"): (
        Call("/subscriptions", _IN_BOX, 409),
        Call("/subscriptions", {**_IN_BOX, **_IN_ORGANIZATION}, 409),
    ),
    # Graph cannot be reached: the owner gets as far as asking it.
    ("DELETE", "/subscriptions/{id}"): (Call("/subscriptions/{subscription}", own_status=502),),
    ("GET", "/organizations"): (Call("/organizations"),),
    ("POST", "/organizations/{id}/pause"): (
        Call("/organizations/{organization}/pause"),
        Call("/organizations/{organization}/pause", {"rule": "{rule}"}),
    ),
    ("POST", "/organizations/{id}/resume"): (
        Call("/organizations/{organization}/resume"),
        Call("/organizations/{organization}/resume", {"rule": "{rule}"}),
    ),
    ("GET", "/organizations/{id}/webhooks"): (Call("/organizations/{organization}/webhooks"),),
    ("GET", "/organizations/{id}/webhooks/{name}/deliveries"): (Call(_DELIVERIES),),
    ("POST", "/organizations/{id}/webhooks/{name}/deliveries/{eventId}/replay"): (
        Call(f"{_DELIVERIES}/{{event}}/replay", own_status=202),
    ),
    ("GET", "/dead-letters"): (Call("/dead-letters"), Call("/dead-letters" + _BY_ORGANIZATION)),
    ("POST", "/dead-letters/{id}/retry"): (Call("/dead-letters/{letter}/retry", own_status=202),),
    ("POST", "/dead-letters/retry"): (
        Call("/dead-letters/retry", {"dryRun": True}),
        Call("/dead-letters/retry", {"limit": 1}),
        Call("/dead-letters/retry", _ONE_OF_THEM),
    ),
    ("DELETE", "/dead-letters/{id}"): (Call("/dead-letters/{letter}"),),
    ("DELETE", "/dead-letters"): (
        Call("/dead-letters?dryRun=true"),
        Call("/dead-letters?limit=1"),
        Call("/dead-letters?limit=1&organizationId={organization}"),
    ),
    ("GET", "/audit"): (Call("/audit"), Call("/audit" + _BY_ORGANIZATION)),
    ("GET", "/reports"): (Call("/reports"), Call("/reports" + _BY_ORGANIZATION)),
    ("GET", "/reports/{date}"): (
        Call("/reports/{day}"),
        Call("/reports/{day}?format=html"),
        Call("/reports/{day}" + _BY_ORGANIZATION),
        Call("/reports/{day}?format=html&organizationId={organization}"),
    ),
    ("GET", "/exports"): (Call("/exports"), Call("/exports" + _BY_ORGANIZATION)),
    ("GET", "/exports/{organizationId}/{week}/{file}"): (
        Call("/exports/{organization}/{week}/ledger.csv"),
        Call("/exports/{organization}/{week}/manifest.json"),
    ),
    ("GET", "/openapi.json"): (Call("/openapi.json", same_for_all=True),),
    ("GET", "/docs"): (Call("/docs", same_for_all=True),),
    ("GET", "/docs/{file}"): (Call("/docs/swagger-ui.css", same_for_all=True),),
}


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"
