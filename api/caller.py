"""Who sent a request, as far as its handler needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of an API key; key_id "" while no key exists. Bound to an organization, or to none."""

    key_id: str
    organization_id: str | None

    def may_see(self, organization_id: str | None) -> bool:
        """Whether what belongs to this organization (None: to none of them) is the caller's to see."""
        return self.organization_id is None or self.organization_id == organization_id


ANYBODY = Caller("", None)
CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
