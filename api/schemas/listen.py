"""What Microsoft Graph posts to the webhook: its forms, not ours. Items of other forms are dropped."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Graphs(BaseModel):
    model_config = ConfigDict(extra="allow")


class GraphNotification(_Graphs):
    subscription_id: str = Field(alias="subscriptionId")
    client_state: str | None = Field(None, alias="clientState")
    change_type: str | None = Field(None, alias="changeType")
    lifecycle_event: str | None = Field(None, alias="lifecycleEvent")
    resource: str | None = None
    resource_data: dict[str, Any] | None = Field(None, alias="resourceData")


class GraphNotifications(_Graphs):
    """Notifications and lifecycle events, of any subscriptions and tenants together."""

    value: list[GraphNotification | Any]
    validation_tokens: list[str] | Any = Field(None, alias="validationTokens")


class Handshake(_Graphs):
    validation_token: str | None = Field(None, alias="validationToken", max_length=4096)
