"""Graph subscriptions: what Graph has, joined with what we know."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.forms import Given, MailboxAddress, OrganizationId, Shown


class SubscriptionsQuery(Given):
    organization_id: OrganizationId | None = None


class NewSubscription(Given):
    """A watched folder to subscribe to (the first configured one unless said)."""

    mailbox: Annotated[MailboxAddress, Field(examples=["soporte@acme.example"])]
    organization_id: OrganizationId | None = None
    folder: Annotated[str | None, Field(min_length=1, max_length=256, examples=["inbox"])] = None


class ShownSubscription(Shown):
    """A subscription. `health`: ok, expired, missing_at_graph, unknown_to_us, or why its renewal failed."""

    id: str
    organization_id: str
    mailbox: str | None
    folder: str | None
    expires_at: str
    seconds_left: Annotated[int, Field(ge=0)]
    health: str
    at_graph: Annotated[bool | None, Field(description="Null where Graph could not be asked.")]


class SubscriptionList(Shown):
    subscriptions: list[ShownSubscription]
    count: int


class OneSubscription(Shown):
    subscription: ShownSubscription


class Deleted(Shown):
    id: str
    deleted: Literal[True]
