"""Graph's endpoints, one file for each resource."""

from workers.sandbox.endpoints import (
    actions,
    categories,
    drafts,
    folders,
    messages,
    sending,
    subscriptions,
)

ROUTES = (
    *messages.ROUTES,
    *folders.ROUTES,
    *actions.ROUTES,
    *drafts.ROUTES,
    *sending.ROUTES,
    *categories.ROUTES,
    *subscriptions.ROUTES,
)
