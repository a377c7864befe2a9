"""Who sent a request, as far as its handler needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a credential; id "" while no key exists. Bound to organizations, or (None) to none."""

    id: str
    organizations: frozenset[str] | None

    @property
    def name(self) -> str:
        """As the audit log names them: `key:ID`, `entra:ID`, or `local`."""
        return self.id if ":" in self.id else f"key:{self.id}" if self.id else "local"

    def may_see(self, organization_id: str | None) -> bool:
        """Whether what belongs to this organization (None: to none of them) is the caller's to see."""
        return self.organizations is None or organization_id in self.organizations


ANYBODY = Caller("", None)
CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
