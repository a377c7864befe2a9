"""`$filter` on messages: what Exchange takes of OData 4.01 (URL conventions, 5.1.1), as a predicate."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workers.sandbox.calls import GraphProblem, bad_query
from workers.sandbox.extended_properties import canonical_id
from workers.sandbox.message import Message

Predicate = Callable[[Message], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<date>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?)"
    r"|(?P<word>[A-Za-z_][\w./]*)|(?P<sign>[(),:]))"
)
_COMPARISONS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": str.__contains__,
}
_DATES = ("receivedDateTime", "sentDateTime", "createdDateTime", "lastModifiedDateTime")
_BOOLEANS = ("isRead", "isDraft", "hasAttachments", "isReadReceiptRequested", "isDeliveryReceiptRequested")
_TEXTS = (
    "subject",
    "conversationId",
    "internetMessageId",
    "importance",
    "inferenceClassification",
    "parentFolderId",
    "flag/flagStatus",
    "from/emailAddress/address",
    "from/emailAddress/name",
    "sender/emailAddress/address",
    "sender/emailAddress/name",
)
KIND: dict[str, type] = (
    dict.fromkeys(_DATES, datetime) | dict.fromkeys(_BOOLEANS, bool) | dict.fromkeys(_TEXTS, str)
)


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed `$filter`: the predicate, and the properties it names in their order."""

    matches: Predicate
    properties: tuple[str, ...]
    text: str


def parse_filter(text: str) -> Filter:
    """Read a `$filter`; GraphProblem 400 for what Exchange would not take."""
    parser = _Parser(text)
    predicate = parser.either()
    parser.expect_end()
    return Filter(predicate, tuple(dict.fromkeys(parser.properties)), text)


def value_of(message: Message, path: str) -> Any:
    """The value of a property path such as `from/emailAddress/address`, None where a part is missing."""
    match path:
        case "lastModifiedDateTime":
            return message.modified_at
        case "hasAttachments":
            return message.has_attachments
        case "parentFolderId":
            return message.folder.id
    value: Any = message.properties
    for part in path.split("/"):
        value = value.get(part) if value else None
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.properties: list[str] = []
        self._tokens = self._split(text)
        self._position = 0

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if not found or not found.lastgroup:
                raise GraphProblem(400, "BadRequest", f"Syntax error at position {position} in '{text}'.")
            tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()
        return tokens

    def either(self) -> Predicate:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda message: any(part(message) for part in parts)

    def _both(self) -> Predicate:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda message: all(part(message) for part in parts)

    def _one(self) -> Predicate:
        if self._take("not"):
            inner = self._one()
            return lambda message: not inner(message)
        if self._take("("):
            inside = self.either()
            self._expect(")")
            return inside
        word = self._next("word")
        if word in _TEXT_FUNCTIONS:
            return self._text_function(word)
        if word.lower() == "categories/any":
            return self._any_category()
        if word.lower() == "singlevalueextendedproperties/any":
            return self._any_extended()
        return self._comparison(word)

    def _comparison(self, path: str) -> Predicate:
        kind = KIND.get(path)
        if kind is None:
            raise bad_query(f"The property '{path}' does not support filtering.")
        self.properties.append(path)
        name = self._next("word")
        if name not in _COMPARISONS:
            raise GraphProblem(
                400, "BadRequest", f"Invalid filter clause: unknown operator '{name}' in '{self.text}'."
            )
        compare = _COMPARISONS[name]
        wanted = self._literal(kind)
        if kind is str:
            # Exchange compares text without regard to case.
            folded = str(wanted).casefold()
            return lambda message: compare(str(value_of(message, path) or "").casefold(), folded)
        return lambda message: (
            value_of(message, path) is not None and compare(value_of(message, path), wanted)
        )

    def _text_function(self, name: str) -> Predicate:
        test = _TEXT_FUNCTIONS[name]
        self._expect("(")
        path = self._next("word")
        if KIND.get(path) is not str:
            raise bad_query(f"The property '{path}' does not support '{name}'.")
        self.properties.append(path)
        self._expect(",")
        wanted = str(self._literal(str)).casefold()
        self._expect(")")
        return lambda message: test(str(value_of(message, path) or "").casefold(), wanted)

    def _any_category(self) -> Predicate:
        self._expect("(")
        variable = self._next("word")
        self._expect(":")
        if self._next("word") != variable or self._next("word") != "eq":
            raise bad_query("categories/any takes only (c:c eq 'name').")
        wanted = str(self._literal(str)).casefold()
        self._expect(")")
        self.properties.append("categories")
        return lambda message: any(one.casefold() == wanted for one in message.properties["categories"])

    def _any_extended(self) -> Predicate:
        self._expect("(")
        variable = self._next("word")
        self._expect(":")
        conditions: dict[str, str] = {}
        while True:
            path = self._next("word")
            if path not in (f"{variable}/id", f"{variable}/value") or self._next("word") != "eq":
                raise bad_query(
                    "singleValueExtendedProperties/Any takes only (ep: ep/id eq '…' and ep/value eq '…')."
                )
            conditions[path.partition("/")[2]] = str(self._literal(str))
            if not self._take("and"):
                break
        self._expect(")")
        if set(conditions) != {"id", "value"}:
            raise bad_query("singleValueExtendedProperties/Any needs ep/id and ep/value.")
        self.properties.append("singleValueExtendedProperties")
        key, wanted = canonical_id(conditions["id"]), conditions["value"].casefold()
        return lambda message: message.extended.get(key, "\0").casefold() == wanted

    def _literal(self, kind: type) -> Any:
        found, text = self._tokens[self._position] if self._position < len(self._tokens) else ("", "")
        self._position += 1
        if kind is str and found == "string":
            return text[1:-1].replace("''", "'")
        if kind is bool and text in ("true", "false"):
            return text == "true"
        if kind is datetime and found == "date":
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        raise GraphProblem(
            400, "BadRequest", f"Invalid filter clause: '{text}' is no {kind.__name__} in '{self.text}'."
        )

    def _take(self, text: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position] in (
            ("word", text),
            ("sign", text),
        ):
            self._position += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise GraphProblem(
                400, "BadRequest", f"Invalid filter clause: '{text}' expected in '{self.text}'."
            )

    def _next(self, group: str) -> str:
        if self._position < len(self._tokens) and self._tokens[self._position][0] == group:
            self._position += 1
            return self._tokens[self._position - 1][1]
        raise GraphProblem(400, "BadRequest", f"Invalid filter clause: incomplete '{self.text}'.")

    def expect_end(self) -> None:
        if self._position < len(self._tokens):
            raise GraphProblem(400, "BadRequest", f"Invalid filter clause: unexpected end of '{self.text}'.")
