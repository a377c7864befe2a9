"""Reading what a caller sent: JSON bodies, query strings and path parameters, each against its model."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from api.receiving import read_body
from api.refusals import Detail, Refusal, invalid, invalid_fields

Model = TypeVar("Model", bound=BaseModel)
# What is asked of us has a thousand ids at most, and few keys.
_MOST_VALUES = 2000
_MOST_KEYS = 100
_SHORT_BYTES = 4096
_JSON = "application/json"
_PATH_PARAMETER = re.compile(r"[^\x00-\x1f\x7f]{1,512}")


class _OddObject(Exception):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MOST_KEYS:
        raise _OddObject(f"an object has over {_MOST_KEYS} keys")
    content = dict(pairs)
    if len(content) != len(pairs):
        raise _OddObject("an object names a key twice")
    return content


def _number(text: str) -> float:
    """2.0 is an integer (JSON Schema, "type"), and is one to every field."""
    value = float(text)
    return int(value) if value.is_integer() else value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number)


def require_few_values(raw: bytes, most: int) -> None:
    """Refuse (400) JSON of so many values that reading it would hold up everybody else."""
    # A value follows a comma or opens something; in a short text there are not many.
    if len(raw) > _SHORT_BYTES and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > most:
        raise _invalid_json(f"over {most} values")


async def read_json(request: web.Request, model: type[Model], most_bytes: int) -> Model:
    """The body as a model.

    Refuses what is not JSON (400), is not declared as such (415) or does not fit the model (422). No body at
    all is taken as an empty object, for routes in which nothing is required.
    """
    raw = await read_body(request, most_bytes)
    # Browsers send other types across sites without asking first (CORS "simple requests").
    is_json = request.headers.get("Content-Type") == _JSON or request.content_type == _JSON
    if is_json and len(raw) <= _SHORT_BYTES and (read := _read_at_once(raw, model)) is not None:
        return read
    content: Any = parse_json(raw) if raw else {}
    if raw and not is_json:
        raise Refusal(415, "unsupported_media_type", "send the body as Content-Type: application/json")
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        raise invalid_fields(problem) from None


def read_query(request: web.Request, model: type[Model]) -> Model:
    """The query string as a model; refuses (422) what does not fit it or is given twice."""
    query = request.query
    if len(query) != len(set(query)):
        raise Refusal(422, "validation", "a query parameter is given twice")
    try:
        return model.model_validate_strings(dict(query))
    except ValidationError as problem:
        raise invalid_fields(problem) from None


def check_path(request: web.Request) -> None:
    """Refuse (422) path parameters that no id of ours can be."""
    for name, value in request.match_info.items():
        if not _PATH_PARAMETER.fullmatch(value):
            raise invalid(name, "1 to 512 characters, no control characters")


def parse_json(raw: bytes) -> Any:
    """The value that a body says in JSON; refuses (400) what is none, repeats a key or is too long."""
    require_few_values(raw, _MOST_VALUES)
    try:
        # orjson refuses NaN, bad UTF-8, lone surrogates and over 1,024 levels; only json sees a repeated key.
        orjson.loads(raw)
        return _DECODER.decode(raw.decode())
    except orjson.JSONDecodeError as malformed:
        reason = f"{malformed.msg} at line {malformed.lineno}, column {malformed.colno}"
    except _OddObject as repeated:
        reason = str(repeated)
    except (RecursionError, ValueError):
        reason = "nested too deeply, or a number too long"
    raise _invalid_json(reason)


def _read_at_once(raw: bytes, model: type[Model]) -> Model | None:
    """The model of a body that says little, and that well; None for what takes a closer look."""
    try:
        read = model.model_validate_json(raw)
    except ValidationError:
        return None
    # pydantic takes the last of a repeated key: with a colon for each field, none is repeated.
    return read if raw.count(b":") == len(read.model_fields_set) else None


def _invalid_json(reason: str) -> Refusal:
    return Refusal(400, "invalid_json", f"the body is not valid JSON: {reason}", details=[Detail("", reason)])
