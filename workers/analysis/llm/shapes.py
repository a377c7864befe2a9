"""What a model may answer. Whatever else it says has no place to go, and so no effect."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from workers.analysis.result import Category, Sentiment, Urgency
from workers.errors import NoAnswer

_LONGEST_ANSWER = 20_000
_LONGEST_REASON = 200
_FENCE = re.compile(r"^```\w{0,10}\s*\n(.*)\n```$", re.DOTALL)
ShapeT = TypeVar("ShapeT", bound="Shape")


def _label(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _one_short_line(value: Any) -> Any:
    return " ".join(value.split())[:_LONGEST_REASON] if isinstance(value, str) else value


class Shape(BaseModel):
    """An answer of known fields; others are dropped unread."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class MailReading(Shape):
    """A model's understanding of one mail."""

    category: Annotated[Category, BeforeValidator(_label)]
    urgency: Annotated[Urgency, BeforeValidator(_label)]
    sentiment: Annotated[Sentiment, BeforeValidator(_label)]
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    reason: Annotated[str, BeforeValidator(_one_short_line)] = ""


class ReplyText(Shape):
    """A model's text for the middle of a reply."""

    text: str


def schema_of(shape: type[Shape]) -> dict[str, Any]:
    """The JSON schema of a shape in the subset that strict structured output knows.

    Source: platform.openai.com/docs/guides/structured-outputs, supported schemas: every field required, no
    further ones, no bounds on values.
    """
    fields = shape.model_json_schema()["properties"]
    return {
        "type": "object",
        "properties": {
            name: {key: field[key] for key in ("type", "enum") if key in field}
            for name, field in fields.items()
        },
        "required": list(fields),
        "additionalProperties": False,
    }


def read(shape: type[ShapeT], text: str) -> ShapeT:
    """The answer in a model's text; raises NoAnswer "malformed" that says what is wrong with it."""
    if len(text) > _LONGEST_ANSWER:
        raise NoAnswer("the answer is much too long", code="malformed")
    fenced = _FENCE.match(text.strip())
    bare = fenced.group(1) if fenced else text
    # Servers that know no structured output let the model chat around its answer.
    bare = bare[max(bare.find("{"), 0) : bare.rfind("}") + 1]
    try:
        return shape.model_validate_json(bare)
    except ValidationError as invalid:
        # Never the input: it would carry the model's text into prompts and logs.
        problems = [
            f"{'.'.join(str(part) for part in error['loc']) or 'answer'}: {error['msg']}"
            for error in invalid.errors(include_input=False, include_url=False)[:5]
        ]
        raise NoAnswer("; ".join(problems), code="malformed") from None
