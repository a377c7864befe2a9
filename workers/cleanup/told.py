"""The delivery logs of webhooks: what was last tried long ago goes, also where the webhook is in use."""

from __future__ import annotations

from datetime import datetime

from workers.cleanup.removed import Removed
from workers.pipeline.context import Context


async def trim(context: Context, before: datetime, *, dry_run: bool) -> Removed:
    """Remove deliveries last tried before a moment."""
    removed = Removed()
    webhooks = context.store.webhooks
    for organization in context.organizations:
        for name in organization.webhooks:
            removed.add(*await webhooks.forget(organization.id, name, before=before, dry_run=dry_run))
    return removed
