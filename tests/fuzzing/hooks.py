"""Loaded by schemathesis: half of the ids it makes up are ones that exist, and no answer may tell too much.

ECONEURA_FUZZING names a JSON file: `known` (name of a parameter -> values that exist), `forbidden` (texts
that no answer may hold), `statuses` (what alone may answer a guarded operation; empty: anything documented).
"""

from __future__ import annotations

import json
import os
import re
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import schemathesis

_TOLD: dict[str, Any] = json.loads(Path(os.environ["ECONEURA_FUZZING"]).read_text(encoding="utf-8"))
_NOT_IN_PATHS = re.compile(r"[\x00-\x1f\x7f]")
_KNOWN: dict[str, list[str]] = _TOLD["known"]


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Put in what exists. Chosen by what was made up, so that a case repeats."""
    if any(_NOT_IN_PATHS.search(unquote(str(word))) for word in (case.path_parameters or {}).values()):
        if case.meta is not None and not case.meta.generation.mode.is_positive:
            # Edited, its words would be judged in their encoded form, and taken for valid.
            return
        _heed_pattern(case.path_parameters)
    for holder in (case.path_parameters, case.query, case.body):
        if isinstance(holder, dict):
            _put_known(holder)
    if isinstance(case.body, dict) and isinstance(case.body.get("filter"), dict):
        _put_known(case.body["filter"])
    headers = case.headers or {}
    if _is_name(headers.get("Idempotency-Key")):
        # Used twice for different requests it is refused, and rightly so.
        headers["Idempotency-Key"] = uuid4().hex


def _heed_pattern(words: dict[str, Any]) -> None:
    """Some words of paths are made up without regard to their pattern, and taken for valid."""
    for name, value in words.items():
        words[name] = _NOT_IN_PATHS.sub("_", unquote(str(value)))


def _put_known(holder: dict[str, Any]) -> None:
    for name, value in holder.items():
        chance = zlib.crc32(repr(value).encode())
        if name in _KNOWN and isinstance(value, str) and chance % 2:
            holder[name] = _KNOWN[name][chance // 2 % len(_KNOWN[name])]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and all("!" <= letter <= "~" for letter in value)


@schemathesis.check
def tells_nothing_forbidden(_context: Any, response: Any, case: Any) -> None:
    """A caller learns nothing of what is another's."""
    sent = " ".join(map(str, (case.path_parameters, case.query, case.body, case.headers)))
    answered = response.content.decode(errors="replace")
    found = [text for text in _TOLD["forbidden"] if text in answered and text not in sent]
    assert not found, f"the answer tells of {found}"


@schemathesis.check
def answers_as_this_caller_is_answered(_context: Any, response: Any, case: Any) -> None:
    """Who has no key gets nowhere."""
    is_guarded = bool(case.operation.definition.raw.get("security"))
    allowed = _TOLD["statuses"]
    assert not (allowed and is_guarded) or response.status_code in allowed, (
        f"{response.status_code} is not one of {allowed}"
    )
