"""Graph's endpoints, one file for each resource."""

from workers.sandbox.endpoints import (
    categories,
    folders,
    messages,
    moving,
    replies,
    sending,
    subscriptions,
)

ROUTES = (
    *messages.ROUTES,
    *folders.ROUTES,
    *moving.ROUTES,
    *replies.ROUTES,
    *sending.ROUTES,
    *categories.ROUTES,
    *subscriptions.ROUTES,
)
