"""Options of lists and items: `$select`, `$expand`, `$filter`, `$orderby`, `$top`, `$skip`, `$count`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from workers.sandbox.calls import Answer, Call, GraphProblem, bad_query
from workers.sandbox.extended_properties import Wanted, wanted_by
from workers.sandbox.filters import KIND, Filter, parse_filter, value_of
from workers.sandbox.message import Message
from workers.sandbox.rendering import SELECTABLE, View, message_json

_PAGE = 10
_MAX_TOP = 1000
_LIST_OPTIONS = frozenset({"$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count"})
_EXPAND_EXTENDED = re.compile(r"^singleValueExtendedProperties\(\$filter=(.+)\)$", re.DOTALL)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

Item = TypeVar("Item")


def check_options(call: Call, allowed: Iterable[str]) -> None:
    """GraphProblem 400 for an option that is not known here."""
    for name in call.query:
        if name not in allowed:
            raise bad_query(f"The query option '{name}' is not supported here.")


def selected(query: Mapping[str, str], selectable: frozenset[str] = SELECTABLE) -> tuple[str, ...] | None:
    """The `$select`ed names; GraphProblem 400 for a property that does not exist."""
    if "$select" not in query:
        return None
    names = tuple(name.strip() for name in query["$select"].split(","))
    for name in names:
        if name not in selectable:
            raise GraphProblem(
                400,
                "RequestBroker--ParseUri",
                f"Could not find a property named '{name}' on the type of this resource.",
            )
    return names


def view_of(call: Call, query: Mapping[str, str] | None = None) -> View:
    """How the caller wants messages shown; `query` stands in for the call's own where a token brought it."""
    query = call.query if query is None else query
    extended: Wanted | None = None
    attachments = False
    for part in split_outside_parentheses(query.get("$expand", "")):
        if match := _EXPAND_EXTENDED.match(part):
            extended = wanted_by(match[1])
        elif part == "attachments" or part.startswith("attachments("):
            attachments = True
        else:
            raise bad_query(f"The $expand '{part}' is not supported here.")
    return View(selected(query), call.immutable_ids, call.text_bodies, extended, attachments)


def list_messages(call: Call, messages: Iterable[Message]) -> Answer:
    """One page of messages, newest first unless ordered otherwise."""
    check_options(call, _LIST_OPTIONS)
    view = view_of(call)
    chosen = parse_filter(call.query["$filter"]) if "$filter" in call.query else None
    order = _order(call.query.get("$orderby", ""))
    if chosen is not None and order:
        _refuse_inefficient(chosen, [path for path, _ in order])
    found = [message for message in messages if chosen is None or chosen.matches(message)]
    for path, descending in reversed(order or [("receivedDateTime", True)]):
        found.sort(key=_sort_key(path), reverse=descending)
    return list_page(call, found, lambda message: message_json(message, view), context="messages")


def list_page(
    call: Call, found: list[Item], show: Callable[[Item], dict[str, Any]], *, context: str
) -> Answer:
    """One page of anything, with `@odata.nextLink` and, on `$count=true`, `@odata.count`."""
    top = _number(call, "$top", call.page_size or _PAGE, least=1, most=_MAX_TOP)
    skip = _number(call, "$skip", 0, least=0, most=2**31)
    body: dict[str, Any] = {"@odata.context": f"{call.origin}/$metadata#{context}"}
    if call.query.get("$count", "false") == "true":
        body["@odata.count"] = len(found)
    body["value"] = [show(one) for one in found[skip : skip + top]]
    if skip + top < len(found):
        body["@odata.nextLink"] = link(call, {**call.query, "$top": str(top), "$skip": str(skip + top)})
    return Answer(200, body, call.applied_preferences())


def link(call: Call, query: dict[str, str]) -> str:
    """An absolute link to the same path with another query."""
    return f"{call.origin}{call.path}?{urlencode(query, quote_via=quote, safe='$')}"


def split_outside_parentheses(text: str) -> list[str]:
    """Split on commas, but not on those in parentheses or quotes."""
    parts: list[str] = []
    depth, quoted, start = 0, False, 0
    for position, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += (character == "(") - (character == ")")
            if character == "," and depth == 0:
                parts.append(text[start:position].strip())
                start = position + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def _order(text: str) -> list[tuple[str, bool]]:
    order = []
    for part in split_outside_parentheses(text):
        path, _, direction = part.partition(" ")
        if path not in KIND or direction.strip() not in ("", "asc", "desc"):
            raise bad_query(f"The $orderby '{part}' is not supported here.")
        order.append((path, direction.strip() == "desc"))
    return order


def _refuse_inefficient(chosen: Filter, ordered: list[str]) -> None:
    # A/user-list-messages: what is ordered by must be filtered by too, in the same order and before the rest.
    if list(chosen.properties[: len(ordered)]) != ordered:
        raise GraphProblem(
            400, "InefficientFilter", "The restriction or sort order is too complex for this operation."
        )


def _sort_key(path: str) -> Callable[[Message], Any]:
    # The number settles equal seconds: pages must never overlap.
    if KIND[path] is str:
        return lambda message: (str(value_of(message, path) or "").casefold(), message.number)
    if KIND[path] is datetime:
        return lambda message: (value_of(message, path) or _LONG_AGO, message.number)
    return lambda message: (bool(value_of(message, path)), message.number)


def _number(call: Call, name: str, default: int, *, least: int, most: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    if not text.isdigit() or not least <= int(text) <= most:
        raise bad_query(f"Invalid value '{text}' for {name}; it must be between {least} and {most}.")
    return int(text)
