"""An organization's own webhooks, and what they were told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.forms import Given, Shown
from workers.organizations import EventType
from workers.store.webhooks import KEPT


class ShownWebhook(Shown):
    """`host` is where it leads; the rest of its address is not shown, as it may be as good as a password."""

    name: str
    host: str
    events: list[EventType]


class WebhookList(Shown):
    webhooks: list[ShownWebhook]
    count: int


class DeliveriesQuery(Given):
    limit: Annotated[int, Field(ge=1, le=KEPT)] = 50


class ShownDelivery(Shown):
    """How telling a webhook of an event stands. `id` is the `webhook-id` that it was sent under."""

    id: str
    type: str
    at: Annotated[str, Field(description="When it happened.")]
    status: Literal["delivered", "retrying", "failed"]
    attempts: int
    status_code: Annotated[int | None, Field(description="What the webhook answered last; null: nothing.")]
    error: str | None
    duration_ms: int
    tried_at: str
    data: Annotated[dict[str, Any], Field(description="What is told: ids, categories, outcomes.")]


class DeliveryList(Shown):
    deliveries: list[ShownDelivery]
    count: int


class Replayed(Shown):
    id: str
    status: Literal["queued"]
