"""What a server of this protocol understands, learned from its refusals: they speak it differently."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

_EASIER: dict[str, Literal["json_object", "text"]] = {"json_schema": "json_object", "json_object": "text"}


@dataclass(frozen=True)
class Dialect:
    """How to ask for an answer of a given schema. The first is what a good server understands."""

    structured: Literal["json_schema", "json_object", "text"] = "json_schema"
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Older and local servers know the first name, OpenAI's newer models only the second."""
    with_temperature: bool = True

    def parameters(
        self, instructions: str, data: str, *, name: str, schema: dict[str, Any], max_tokens: int
    ) -> dict[str, Any]:
        """The body of a chat completion request, but for the model."""
        if self.structured != "json_schema":
            instructions += (
                f"\n\nAnswer with one JSON object of this JSON schema and nothing else:\n{_text(schema)}"
            )
        parameters: dict[str, Any] = {
            "messages": [
                {"role": "system", "content": instructions},
                {"role": "user", "content": data},
            ],
            self.limit: max_tokens,
        }
        if self.with_temperature:
            parameters["temperature"] = 0
        if self.structured == "json_schema":
            asked = {"name": name, "strict": True, "schema": schema}
            parameters["response_format"] = {"type": "json_schema", "json_schema": asked}
        elif self.structured == "json_object":
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    def after(self, refusal: str) -> Dialect | None:
        """An easier dialect for a server that refused this one with these words; None: there is none."""
        if self.limit == "max_tokens" and "max_completion_tokens" in refusal:
            return replace(self, limit="max_completion_tokens")
        if self.with_temperature and "temperature" in refusal:
            return replace(self, with_temperature=False)
        if self.structured in _EASIER:
            return replace(self, structured=_EASIER[self.structured])
        return None


def _text(schema: dict[str, Any]) -> str:
    return orjson.dumps(schema).decode()
