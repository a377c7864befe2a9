"""Master categories of a mailbox, so that what we write on a message has a colour in Outlook."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from workers import logs, metrics
from workers.decisions import REVIEW, URGENT, default_rules
from workers.errors import AccessDenied
from workers.graph import categories
from workers.organizations import Organization
from workers.pipeline.context import Context

_log = logs.get_logger("categories")
# Outlook's preset colours for the categories we create (graph/contract.md, section 5); others are grey.
_COLOURS = {
    URGENT: "preset0", "finance": "preset4", "calendar": "preset7", "support": "preset1",
    "sales": "preset5", "newsletter": "preset12", "personal": "preset8", REVIEW: "preset3",
}  # fmt: skip
_OTHER_COLOUR = "preset10"


async def ensure_categories(
    context: Context, organization_id: str, mailbox: str, names: Iterable[str], known: AbstractSet[str]
) -> int:
    """Create the master categories that a mailbox lacks; returns how many. `known` were seen there before.

    Where the app may not, it goes without, and is not asked again by this process.
    """
    missing = {name: _COLOURS.get(name.lower(), _OTHER_COLOUR) for name in names if name not in known}
    if not missing:
        return 0
    try:
        created = await categories.ensure_categories(context.graph_of(organization_id), mailbox, missing)
    except AccessDenied as denied:
        # Only the colours are missing then: a message takes any name.
        metrics.ERRORS.labels("no_master_categories", "categories", "warning").inc()
        _log.warning("no_master_categories", reason=str(denied))
        context.store.mailboxes.forgo_categories(mailbox, *missing)
        return 0
    await context.store.mailboxes.add_categories(mailbox, *missing)
    return created


def names_of(organization: Organization) -> frozenset[str]:
    """Every category that the organization's rules can write."""
    rules = organization.rules or default_rules(organization)
    steps = (step for rule in rules for step in rule.then)
    return frozenset(step.category for step in steps if step.category is not None) | {REVIEW}
