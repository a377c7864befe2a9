"""Extended properties: ids like `String {GUID} Name mykey`; the name is case-sensitive, the value is not."""

from __future__ import annotations

import re
from collections.abc import Callable

from workers.sandbox.calls import GraphProblem, bad_query

Wanted = Callable[[str], bool]

_TYPES = "String|Integer|Boolean|Double|Float|Long|Short|SystemTime|Binary|Currency|CLSID"
_GUID = r"\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}"
_NAMED = re.compile(rf"^({_TYPES}) ({_GUID}) (Name|Id) (\S.*)$")
_TAGGED = re.compile(rf"^({_TYPES}) (0x[0-9A-Fa-f]{{1,4}})$")
_ID_IS = re.compile(r"^id eq '((?:[^']|'')+)'$")


def canonical_id(property_id: str) -> str:
    """The id as Exchange gives it back, its GUID in lower case; GraphProblem 400 for a malformed one."""
    if named := _NAMED.match(property_id):
        kind, guid, form, name = named.groups()
        return f"{kind} {guid.lower()} {form} {name}"
    if tagged := _TAGGED.match(property_id):
        return f"{tagged[1]} {tagged[2].lower()}"
    raise GraphProblem(400, "ErrorInvalidProperty", f"The extended property id '{property_id}' is malformed.")


def wanted_by(filter_text: str) -> Wanted:
    """Reads the `$filter` inside `$expand=singleValueExtendedProperties(...)`: `id eq '…' [or id eq '…']`."""
    ids = set()
    for clause in filter_text.split(" or "):
        if not (match := _ID_IS.match(clause.strip())):
            raise bad_query("$expand of singleValueExtendedProperties needs $filter=id eq '{id}'.")
        ids.add(canonical_id(match[1].replace("''", "'")))
    return ids.__contains__
