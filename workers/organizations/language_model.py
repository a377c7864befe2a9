"""The language model that an organization may have asked besides the local analysis."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from workers.organizations.rules import Strict
from workers.settings import checked_url


class LlmSettings(Strict):
    """When to ask which model at which endpoint, how long, how much, and what it may be shown.

    `api` "openai" is any server that speaks OpenAI's chat completions; for "azure" the model is the name of
    the deployment. Without `use` nothing is ever sent.
    """

    use: Literal["never", "unsure", "always"] = "never"
    api: Literal["openai", "azure"] = "openai"
    endpoint: str = ""
    api_version: str = ""
    model: str = ""
    api_key: str | None = None
    """As "env:NAME" or "file:PATH"; a server of one's own may need none."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    """For a whole question with all its tries. A claim on a message outlives the longest."""
    tokens_per_day: Annotated[int, Field(ge=1)] = 200_000
    """Of a day in UTC."""
    max_output_tokens: Annotated[int, Field(ge=50, le=16_000)] = 500
    """Of one answer. A model that thinks before it answers needs more."""
    at_once: Annotated[int, Field(ge=1, le=64)] = 4
    """Questions in flight from one worker process."""
    redact: bool = True
    cache_hours: Annotated[int, Field(ge=0, le=8784)] = 168

    @field_validator("endpoint")
    @classmethod
    def _safe_url(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must have no user, query or fragment; the key goes in api_key")
        return checked_url(value).rstrip("/")

    @model_validator(mode="after")
    def _whole(self) -> LlmSettings:
        if self.use == "never":
            return self
        needed = {"endpoint": self.endpoint, "model": self.model}
        if self.api == "azure":
            needed |= {"api_version": self.api_version, "api_key": self.api_key or ""}
        if missing := [name for name, value in needed.items() if not value]:
            raise ValueError(f'use = "{self.use}" needs {" and ".join(missing)}')
        if find_spec("openai") is None:
            raise ValueError("needs the extra llm: pip install 'econeura-workers[llm]'")
        return self
