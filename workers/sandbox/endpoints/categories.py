"""A user's master categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.sandbox.calls import Answer, Call, bad_body
from workers.sandbox.endpoints.permissions import READ_SETTINGS, WRITE_SETTINGS
from workers.sandbox.listing import check_options, list_page
from workers.sandbox.request_bodies import CATEGORY, check_body
from workers.sandbox.routing import Route

if TYPE_CHECKING:
    from workers.sandbox.service import Sandbox


async def list_all(sandbox: Sandbox, call: Call) -> Answer:
    check_options(call, ("$top", "$skip", "$count"))
    categories = list(sandbox.mailbox_of(call).categories.values())
    return list_page(call, categories, dict, context="outlook/masterCategories")


async def create(sandbox: Sandbox, call: Call) -> Answer:
    body = call.json_object()
    check_body(body, CATEGORY, "outlookCategory")
    name = body["displayName"].strip()
    if not name:
        raise bad_body("displayName must not be empty.")
    category = sandbox.mailbox_of(call).add_category(name, body.get("color", "none"))
    return Answer(201, category)


ROUTES = (
    Route("GET", "/users/{user}/outlook/masterCategories", list_all, READ_SETTINGS),
    Route("POST", "/users/{user}/outlook/masterCategories", create, WRITE_SETTINGS),
)
