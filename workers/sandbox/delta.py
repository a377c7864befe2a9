"""Delta rounds over a folder (A/message-delta): first what is there, then what changed."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from workers.sandbox.behaviour import Behaviour
from workers.sandbox.calls import Answer, Call, GraphProblem, bad_query
from workers.sandbox.filters import Filter, parse_filter
from workers.sandbox.listing import check_options, link, view_of
from workers.sandbox.mailbox import Change, Folder, Mailbox
from workers.sandbox.message import Message
from workers.sandbox.rendering import View, message_json

_PAGE = 10
_FIRST_CALL_OPTIONS = ("$select", "$expand", "$filter", "$orderby", "$top", "changeType")
_TOKEN_OPTIONS = ("$deltatoken", "$skiptoken")
_DATE_FILTER = re.compile(r"^\s*receivedDateTime\s+(ge|gt)\s+\S+\s*$")
_CHANGE_TYPES = ("created", "updated", "deleted")
# A page looks at so many log lines at most for each item: what was filtered away leaves it short or empty.
_LINES_PER_ITEM = 20
_LEFT_OF_A_PARTIAL_ITEM = ("@odata.type", "@odata.etag", "id", "@removed", "isDraft", "subject")


@dataclass(frozen=True, slots=True)
class Round:
    """Where a caller stands, all of it in the token.

    `listing` until all that was there at `base` is shown, then changes from `position` on. A position is a
    version of the mailbox; only in a listing that is ordered by date it counts the messages passed.
    """

    folder: str
    options: dict[str, str]
    listing: bool
    position: int
    base: int
    generation: int
    replayed: bool = False

    def token(self) -> str:
        content = base64.b64encode(
            orjson.dumps(
                [
                    self.folder,
                    self.options,
                    self.listing,
                    self.position,
                    self.base,
                    self.generation,
                    self.replayed,
                ]
            )
        ).decode()
        # `%`, `/`, `+` and `=` stand in it on purpose: only a link used verbatim brings it back whole.
        return f"R0%2F/+={_checksum(content)}={content}"


# Gives the items of a page, the round after it, and whether the round has ended.
Shower = Callable[[Folder, Round, int, View, Filter | None], tuple[list[dict[str, Any]], Round, bool]]


def answer_delta(call: Call, mailbox: Mailbox, folder: Folder, sandbox: DeltaSource) -> Answer:
    """One page of a round."""
    round_ = _round_of(call, mailbox, folder, sandbox)
    # The options of the first call hold for the whole round; preferences are each request's own.
    view = view_of(call, round_.options)
    size = call.page_size or int(round_.options.get("$top", _PAGE))
    restriction = parse_filter(round_.options["$filter"]) if "$filter" in round_.options else None
    context = {"@odata.context": f"{call.origin}/$metadata#Collection(message)"}
    if sandbox.random.random() < sandbox.behaviour.delta_empty_page_share and not round_.replayed:
        empty = link(call, {"$skiptoken": replace(round_, replayed=True).token()})
        return Answer(200, context | {"value": [], "@odata.nextLink": empty}, call.applied_preferences())
    show = _shower(round_)
    items, after, ended = show(folder, round_, size, view, restriction)
    items = [_partial(item, sandbox) for item in items]
    if items and not round_.replayed and sandbox.random.random() < sandbox.behaviour.delta_replay_share:
        after, ended = replace(round_, replayed=True), False
    if ended:
        state = replace(
            after, listing=False, position=after.base if round_.listing else after.position, replayed=False
        )
        state = replace(state, base=state.position)
        links = {"@odata.deltaLink": link(call, {"$deltatoken": state.token()})}
    else:
        links = {"@odata.nextLink": link(call, {"$skiptoken": after.token()})}
    return Answer(200, context | {"value": items} | links, call.applied_preferences())


def _partial(item: dict[str, Any], sandbox: DeltaSource) -> dict[str, Any]:
    if sandbox.random.random() >= sandbox.behaviour.delta_partial_share:
        return item
    return {name: value for name, value in item.items() if name in _LEFT_OF_A_PARTIAL_ITEM}


@dataclass(slots=True)
class DeltaSource:
    """What delta needs of the sandbox; raising `generation` makes every token so far unknown (410)."""

    behaviour: Behaviour
    random: random.Random
    generation: int = 0


def sync_state_not_found(call: Call) -> GraphProblem:
    """410 with the address of a fresh round."""
    location = f"{call.origin}{call.path}?$deltatoken="
    return GraphProblem(
        410, "SyncStateNotFound", "The sync state generation is not found.", {"Location": location}
    )


def _round_of(call: Call, mailbox: Mailbox, folder: Folder, sandbox: DeltaSource) -> Round:
    tokens = [call.query[name] for name in _TOKEN_OPTIONS if call.query.get(name)]
    if tokens:
        check_options(call, _TOKEN_OPTIONS)
        round_ = _read_token(tokens[0])
        if round_.folder != folder.id:
            raise bad_query("The token belongs to another folder.")
        if round_.generation != sandbox.generation:
            raise sync_state_not_found(call)
        return round_
    check_options(call, (*_FIRST_CALL_OPTIONS, *_TOKEN_OPTIONS))
    options = {name: call.query[name] for name in _FIRST_CALL_OPTIONS if name in call.query}
    if options.get("changeType", "created") not in _CHANGE_TYPES:
        raise bad_query(f"changeType must be one of {', '.join(_CHANGE_TYPES)}.")
    if options.get("$orderby", "receivedDateTime desc") != "receivedDateTime desc":
        raise bad_query("Delta orders by receivedDateTime desc only.")
    if "$top" in options and not (options["$top"].isdigit() and 0 < int(options["$top"]) <= 1000):
        raise bad_query("Invalid value for $top.")
    start = 0
    if "$filter" in options:
        if not _DATE_FILTER.match(options["$filter"]):
            raise bad_query("Delta filters by 'receivedDateTime ge|gt' only.")
        start = _start_under_cap(folder, parse_filter(options["$filter"]), sandbox.behaviour.delta_filter_cap)
    position = 0 if "$orderby" in options else start
    return Round(folder.id, options, True, position, mailbox.version, sandbox.generation)


def _read_token(token: str) -> Round:
    checksum, _, content = token.removeprefix("R0%2F/+=").partition("=")
    if not token.startswith("R0%2F/+=") or checksum != _checksum(content):
        raise GraphProblem(400, "ErrorInvalidUrlQuery", "Badly formed token.")
    return Round(*orjson.loads(base64.b64decode(content)))


def _checksum(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _start_under_cap(folder: Folder, restriction: Filter, cap: int) -> int:
    """The version after which at most `cap` match: filtered, Exchange lists no more (A/message-delta)."""
    left = cap
    for change in reversed(folder.log):
        if _is_entry(change, folder) and restriction.matches(change.message):
            left -= 1
            if left < 0:
                return change.version
    return 0


def _is_entry(change: Change, folder: Folder) -> bool:
    """Whether the line is the arrival of a message that is still here."""
    return (
        change.kind == "created"
        and change.message.entered == change.version
        and _is_in(change.message, folder)
    )


def _is_in(message: Message, folder: Folder) -> bool:
    return message.number in folder.messages


def _shower(round_: Round) -> Shower:
    if not round_.listing:
        return _changed
    return _listed_newest_first if "$orderby" in round_.options else _listed


def _listed(
    folder: Folder, round_: Round, size: int, view: View, restriction: Filter | None
) -> tuple[list[dict[str, Any]], Round, bool]:
    if round_.options.get("changeType", "created") != "created":
        return [], round_, True
    items: list[dict[str, Any]] = []
    for line, change in enumerate(folder.changes_after(round_.position)):
        if change.version > round_.base:
            break
        if len(items) == size or line == size * _LINES_PER_ITEM:
            return items, round_, False
        round_ = replace(round_, position=change.version, replayed=False)
        if _is_entry(change, folder) and (restriction is None or restriction.matches(change.message)):
            items.append(_item(change.message, view))
    return items, round_, True


def _listed_newest_first(
    folder: Folder, round_: Round, size: int, view: View, restriction: Filter | None
) -> tuple[list[dict[str, Any]], Round, bool]:
    # As they were at `base`, whatever happened since: the count of those passed must stay true.
    then_here: dict[int, Change] = {}
    for change in folder.log:
        if change.version > round_.base:
            break
        if change.kind == "created":
            then_here[change.message.number] = change
        elif change.kind == "deleted":
            del then_here[change.message.number]
    entries = [one for one in then_here.values() if restriction is None or restriction.matches(one.message)]
    entries.sort(
        key=lambda one: (one.message.properties["receivedDateTime"], one.message.number), reverse=True
    )
    after = round_.position + size
    page = entries[round_.position : after]
    items = [_item(one.message, view) for one in page if _is_entry(one, folder)]
    return items, replace(round_, position=after, replayed=False), after >= len(entries)


def _changed(
    folder: Folder, round_: Round, size: int, view: View, restriction: Filter | None
) -> tuple[list[dict[str, Any]], Round, bool]:
    lines_of: dict[int, list[Change]] = {}
    ended, position = True, round_.position
    for line, change in enumerate(folder.changes_after(round_.position)):
        known = change.message.number in lines_of
        if (not known and len(lines_of) == size) or line == size * _LINES_PER_ITEM:
            ended = False
            break
        position = change.version
        lines_of.setdefault(change.message.number, []).append(change)
    items = [
        item
        for changes in lines_of.values()
        for item in _net_effect(folder, round_, changes, view, restriction)
    ]
    return items, replace(round_, position=position, replayed=False), ended


def _net_effect(
    folder: Folder, round_: Round, changes: list[Change], view: View, restriction: Filter | None
) -> list[dict[str, Any]]:
    """What the lines about one message amount to: it came, it changed, it left, or nothing to tell."""
    message = changes[0].message
    wanted = round_.options.get("changeType")
    here = _is_in(message, folder)
    items: list[dict[str, Any]] = []
    left = next((change for change in changes if change.kind == "deleted"), None)
    was_known = changes[0].kind != "created"
    if left and was_known and (not here or not view.immutable_ids) and wanted in (None, "deleted"):
        gone = message.immutable_id if view.immutable_ids else left.default_id
        items.append(
            {"@odata.type": "#microsoft.graph.message", "id": gone, "@removed": {"reason": "deleted"}}
        )
    if here and (restriction is None or restriction.matches(message)):
        came = message.entered > round_.base
        if wanted in (None, "created" if came else "updated"):
            items.append(_item(message, view) if came else _changed_part(message, changes, view))
    return items


def _item(message: Message, view: View) -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.message", **message_json(message, view)}


def _changed_part(message: Message, changes: list[Change], view: View) -> dict[str, Any]:
    """Updated items hold what was changed, and no promise of more (microsoft-graph-docs#7776)."""
    changed = frozenset().union(*(change.fields for change in changes)) | {
        "lastModifiedDateTime",
        "changeKey",
    }
    names = [name for name in (view.select or changed) if name in changed]
    return _item(message, replace(view, select=tuple(names)))
