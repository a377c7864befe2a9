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
_JSON = "application/json"
_PATH_PARAMETER = re.compile(r"[^\x00-\x1f\x7f]{1,512}")


class _RepeatedKey(Exception):
    pass


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise _RepeatedKey("an object names a key twice")
    return content


def _number(text: str) -> float:
    """2.0 is an integer (JSON Schema, "type"), and is one to every field."""
    value = float(text)
    return int(value) if value.is_integer() else value


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repeats, parse_float=_number)


async def read_json(request: web.Request, model: type[Model]) -> Model:
    """The body as a model.

    Refuses what is not JSON (400), is not declared as such (415) or does not fit the model (422). No body at
    all is taken as an empty object, for routes in which nothing is required.
    """
    raw = await read_body(request)
    if not raw:
        content: Any = {}
    else:
        content = _parsed(raw)
        # Browsers send other types across sites without asking first (CORS "simple requests").
        if request.headers.get("Content-Type") != _JSON and request.content_type != _JSON:
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


def _parsed(raw: bytes) -> Any:
    try:
        # orjson refuses NaN, bad UTF-8, lone surrogates and over 1,024 levels; only json sees a repeated key.
        orjson.loads(raw)
        return _DECODER.decode(raw.decode())
    except orjson.JSONDecodeError as malformed:
        reason = f"{malformed.msg} at line {malformed.lineno}, column {malformed.colno}"
    except _RepeatedKey as repeated:
        reason = str(repeated)
    except (RecursionError, ValueError):
        reason = "nested too deeply, or a number too long"
    raise Refusal(400, "invalid_json", f"the body is not valid JSON: {reason}", details=[Detail("", reason)])
