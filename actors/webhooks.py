"""Door for webhooks: tell one of them of one event."""

from __future__ import annotations

from typing import Any

from actors import policy, resources
from actors.door import attempt_of, door
from workers.pipeline import telling
from workers.webhooks.event import Event


@policy.WEBHOOK.actor
async def tell_webhook(
    organization_id: str, webhook: str, event: dict[str, Any], again: bool = False
) -> None:
    """Tell a webhook of an event; under the same id at every try, also from the dead letters."""
    async with door(organization_id=organization_id) as queue_message:
        attempt = attempt_of(queue_message)
        await telling.tell(
            resources.current(),
            resources.webhooks(),
            webhook,
            Event(**event),
            attempt=attempt,
            is_last_attempt=attempt >= policy.WEBHOOK.max_attempts,
            at_least_s=policy.WEBHOOK.backoff_s(attempt),
            again=again,
        )
