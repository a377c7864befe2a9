"""What is asked of a model, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, Literal

from workers.analysis.llm.shapes import ShapeT, schema_of

# Of a mail any byte may be a token; our own words are plain ones, of three letters and more.
_BYTES_PER_TOKEN_OF_OURS = 2
_FRAME_TOKENS = 50


@dataclass(frozen=True)
class Question(Generic[ShapeT]):
    """Our instructions, the data they speak of, and the shape of the answer. `name` is that of its schema."""

    name: str
    instructions: str
    data: str
    shape: type[ShapeT]
    kept_hours: int = 8784
    """Its answer is kept no longer, whatever the organization's `cache_hours`."""

    @property
    def schema(self) -> dict[str, Any]:
        return schema_of(self.shape)

    def most_tokens(self, max_output_tokens: int) -> int:
        """No tokenizer makes more of it, answer included."""
        ours = len(self.instructions.encode()) + len(str(self.schema))
        return ours // _BYTES_PER_TOKEN_OF_OURS + len(self.data.encode()) + _FRAME_TOKENS + max_output_tokens

    def after(self, problem: str) -> Question[ShapeT]:
        """The same again, saying what was wrong with a former answer; not the answer itself."""
        instructions = f"{self.instructions}\n\nA former answer was refused, for this reason: {problem[:500]}"
        return replace(self, instructions=instructions)


@dataclass
class Outcome(Generic[ShapeT]):
    """How a question went: `answer` from the model or the cache, or None and the `reason`. Milliseconds."""

    answer: ShapeT | None = None
    source: Literal["llm", "cache", "local"] = "local"
    reason: str = ""
    tokens: int = 0
    ms: float = 0.0
