"""One exchange with an OpenAI-compatible server or Azure OpenAI. Imported only where a model is used: it
needs the extra llm, and a second and 40 MB."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from openai import AsyncAzureOpenAI, AsyncOpenAI
from pydantic import BaseModel, Field, ValidationError

from workers import logs
from workers.analysis.llm.bounded import BoundedTransport
from workers.analysis.llm.breaker import Breaker
from workers.analysis.llm.dialect import Dialect
from workers.analysis.llm.gate import Gate
from workers.errors import NoAnswer
from workers.organizations import LlmSettings

_log = logs.get_logger("llm")
# What servers answer to a parameter that they do not know.
_NOT_UNDERSTOOD = frozenset({400, 415, 422, 501})
# For each question in flight so many more may wait: one organization's model must not hold up all others'.
_IN_LINE = 4
_NO_MATTER_OF_DIALECT = frozenset({"context_length_exceeded", "model_not_found", "invalid_api_key"})


@dataclass(frozen=True)
class Completion:
    """A model's text, and the tokens that it took (None where the server does not say)."""

    text: str
    tokens: int | None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Answer(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: Any = None


class Endpoint:
    """A client of one organization's model. Follows no redirect and reads no proxy from the environment."""

    def __init__(self, settings: LlmSettings, api_key: str | None, tls: ssl.SSLContext) -> None:
        self.settings = settings
        self.places = asyncio.Semaphore(settings.at_once)
        self.line = Gate(settings.at_once * _IN_LINE)
        self.breaker = Breaker()
        self._dialect = Dialect()
        limits = httpx2.Limits(max_connections=settings.at_once, max_keepalive_connections=settings.at_once)
        http = httpx2.AsyncClient(
            transport=BoundedTransport(verify=tls, limits=limits), trust_env=False, follow_redirects=False
        )
        self._client: AsyncOpenAI
        if settings.api == "azure":
            self._client = AsyncAzureOpenAI(
                azure_endpoint=settings.endpoint,
                azure_deployment=settings.model,
                api_version=settings.api_version,
                api_key=api_key or "",
                max_retries=0,
                http_client=http,
            )
        else:
            self._client = AsyncOpenAI(
                base_url=_base_url(settings.endpoint),
                # The library insists on one; a server that needs none ignores it.
                api_key=api_key or "none",
                max_retries=0,
                http_client=http,
            )
        # Otherwise taken from the environment, which is not read here.
        self._client.organization = self._client.project = None

    @property
    def structured(self) -> str:
        """How the server was last asked for a structured answer."""
        return self._dialect.structured

    async def complete(
        self, instructions: str, data: str, *, name: str, schema: dict[str, Any]
    ) -> Completion:
        """Ask once, in the best dialect that the server understands.

        Raises NoAnswer with one of the codes unreachable, cut, timeout, rate_limited, server_error, refused
        (our key or the model), bad_request, content_filter, too_large, malformed.
        """
        dialect: Dialect | None = self._dialect
        while dialect is not None:
            parameters = dialect.parameters(
                instructions, data, name=name, schema=schema, max_tokens=self.settings.max_output_tokens
            )
            try:
                raw = await self._exchange(parameters)
            except openai.APIStatusError as refused:
                # Only the class of the refusal goes on: its text may repeat the mail.
                if not _is_about_dialect(refused):
                    raise _failure(refused) from None
                dialect = dialect.after(str(refused.message))
            else:
                self._dialect = dialect
                return _completion(raw)
        raise NoAnswer("the server refuses the request in every form", code="bad_request")

    async def close(self) -> None:
        await self._client.close()

    async def _exchange(self, parameters: dict[str, Any]) -> bytes:
        try:
            answer = await self._client.chat.completions.with_raw_response.create(
                model=self.settings.model, timeout=self.settings.timeout_s, **parameters
            )
        except openai.APITimeoutError:
            raise NoAnswer("no answer in time", code="timeout") from None
        except openai.APIConnectionError as failed:
            raise _connection_failure(failed) from None
        return bytes(answer.http_response.content)


def _base_url(endpoint: str) -> str:
    """The address as given; the usual path where it names none."""
    return endpoint if urlsplit(endpoint).path else f"{endpoint}/v1"


def _is_about_dialect(refused: openai.APIStatusError) -> bool:
    if refused.status_code not in _NOT_UNDERSTOOD or _is_filtered(refused):
        return False
    return refused.code not in _NO_MATTER_OF_DIALECT


def _is_filtered(refused: openai.APIStatusError) -> bool:
    return refused.code == "content_filter"


def _failure(refused: openai.APIStatusError) -> NoAnswer:
    status = refused.status_code
    problem = f"the model's server answers {status}"
    if status == 429:
        return NoAnswer(problem, code="rate_limited", retry_after_s=_retry_after_s(refused))
    if status in (408, 409) or status >= 500:
        return NoAnswer(problem, code="server_error")
    if _is_filtered(refused):
        return NoAnswer("the server's content filter refuses the mail", code="content_filter")
    return NoAnswer(problem, code="refused" if status in (401, 403, 404) else "bad_request")


def _connection_failure(failed: openai.APIConnectionError) -> NoAnswer:
    cause = failed.__cause__
    if isinstance(cause, NoAnswer):
        return cause
    if isinstance(cause, httpx2.ConnectError):
        return NoAnswer("the model's server cannot be reached", code="unreachable")
    return NoAnswer("the connection broke before the answer was whole", code="cut")


def _retry_after_s(refused: openai.APIStatusError) -> float | None:
    """Seconds of Retry-After (RFC 9110, section 10.2.3) or of OpenAI's retry-after-ms; None without them."""
    headers = refused.response.headers
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 <= seconds < 86_400 else None


def _completion(raw: bytes) -> Completion:
    try:
        answer = _Answer.model_validate_json(raw)
    except ValidationError:
        raise NoAnswer("the answer is no chat completion", code="malformed") from None
    choice, tokens = answer.choices[0], _tokens(answer.usage)
    if choice.finish_reason == "content_filter" or choice.message.refusal:
        _log.info("model_declined", tokens=tokens)
        return Completion("", tokens)
    return Completion(choice.message.content or "", tokens)


def _tokens(usage: object) -> int | None:
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and 0 < total < 10**9 else None
