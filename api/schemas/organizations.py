"""Organizations as they are configured (no secrets), and their switch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.forms import Given, Shown


class Switch(Given):
    """What to pause or resume: the organization, or one rule of it."""

    rule: Annotated[str | None, Field(min_length=1, max_length=64, examples=["facturas"])] = None


class ShownRule(Shown):
    name: str
    paused: bool
    actions: list[str]


class ShownOrganization(Shown):
    """`paused` stops acting, not recording. `paused_by`: the configuration file, or a person (or a brake)."""

    id: str
    mode: Literal["observe", "draft", "act"]
    paused: bool
    paused_by: Literal["configuration", "operator"] | None
    mailboxes: list[str]
    folders: list[str]
    timezone: str
    language: str
    rules: list[ShownRule]
    unfinished: Annotated[int, Field(ge=0, description="Messages seen that are not done, skipped or dead.")]


class OrganizationList(Shown):
    organizations: list[ShownOrganization]
    count: int


class OneOrganization(Shown):
    organization: ShownOrganization
