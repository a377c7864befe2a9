"""One question to a model, from cache to answer, within its time limit and budget; or why there is none."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

import redis

from workers import logs
from workers.analysis.llm.answer_cache import AnswerCache
from workers.analysis.llm.budget import Budget, Reservation
from workers.analysis.llm.gate import Gate
from workers.analysis.llm.question import Outcome, Question
from workers.analysis.llm.shapes import ShapeT, read
from workers.errors import NoAnswer
from workers.metrics import ERRORS, LLM_QUESTIONS, LLM_TOKENS
from workers.redis_clients import AsyncRedis

if TYPE_CHECKING:
    from workers.analysis.llm.endpoint import Completion, Endpoint

_log = logs.get_logger("llm")
_COST_NOTHING = frozenset({"unreachable", "rate_limited", "refused", "bad_request"})
_WORTH_ANOTHER_TRY = frozenset({"malformed", "server_error", "cut", "rate_limited"})
# Follow from an earlier failure that was told, and come once for each mail.
_OLD_NEWS = frozenset({"resting", "budget", "busy"})
_BEFORE_ANOTHER_TRY_S = 0.2


class Asker:
    """Asks questions for organizations; never raises for what a model, its server or Redis does."""

    def __init__(self, client: AsyncRedis, namespace: str, *, at_once: int) -> None:
        self.budget = Budget(client, namespace)
        self._cache = AnswerCache(client, namespace)
        self._gate = Gate(at_once)

    async def ask(
        self, organization_id: str, endpoint: Endpoint, question: Question[ShapeT]
    ) -> Outcome[ShapeT]:
        """The answer to a question, or none, within the organization's time limit."""
        outcome: Outcome[ShapeT] = Outcome()
        started = time.monotonic()
        try:
            async with asyncio.timeout(endpoint.settings.timeout_s) as limit:
                course = _Course(organization_id, endpoint, self.budget, outcome, limit)
                await self._answer(course, question)
        except TimeoutError:
            _tell(outcome, "timeout", f"no answer within {endpoint.settings.timeout_s:g} s")
        except NoAnswer as none:
            _tell(outcome, none.code, str(none))
        except redis.RedisError as away:
            _tell(outcome, "redis", type(away).__name__)
        outcome.ms = round((time.monotonic() - started) * 1000, 1)
        self.count(organization_id, outcome)
        return outcome

    def count(self, organization_id: str, outcome: Outcome[ShapeT]) -> None:
        """Make how a question went a part of the metrics."""
        LLM_QUESTIONS.labels(outcome.reason or outcome.source, organization_id).inc()
        LLM_TOKENS.labels(organization_id).inc(outcome.tokens)
        if outcome.reason and outcome.reason != "empty":
            ERRORS.labels(outcome.reason, "llm", "warning").inc()

    async def _answer(self, course: _Course[ShapeT], question: Question[ShapeT]) -> None:
        outcome, endpoint = course.outcome, course.endpoint
        settings = endpoint.settings
        key = self._cache.key(
            course.organization_id, settings, question.instructions, question.schema, question.data
        )
        if (kept := await self._cache.find(key)) is not None:
            outcome.answer, outcome.source = read(question.shape, kept), "cache"
            return
        with self._gate.place(), endpoint.line.place():
            async with endpoint.places:
                answer = await course.with_tries(question)
        hours = min(settings.cache_hours, question.kept_hours)
        await self._cache.keep(key, answer.model_dump_json(), hours=hours)
        outcome.answer, outcome.source = answer, "llm"


@dataclass
class _Course(Generic[ShapeT]):
    """A question on its way to the endpoint and back."""

    organization_id: str
    endpoint: Endpoint
    budget: Budget
    outcome: Outcome[ShapeT]
    limit: asyncio.Timeout

    async def with_tries(self, question: Question[ShapeT]) -> ShapeT:
        """Ask, and once more after a passing failure or an answer that is none, saying what was wrong."""
        try:
            return await self._once(question)
        except NoAnswer as none:
            if none.code not in _WORTH_ANOTHER_TRY:
                raise
            if none.code == "malformed":
                question = question.after(str(none))
            elif none.code != "rate_limited":
                await asyncio.sleep(_BEFORE_ANOTHER_TRY_S)
        return await self._once(question)

    async def _once(self, question: Question[ShapeT]) -> ShapeT:
        await self._sit_out_pause()
        if not self.endpoint.breaker.lets_through():
            raise NoAnswer("the endpoint fails and is left alone for a while", code="resting")
        settings = self.endpoint.settings
        reserved = await self.budget.reserve(
            self.organization_id,
            question.most_tokens(settings.max_output_tokens),
            per_day=settings.tokens_per_day,
        )
        try:
            completion = await self._exchange(question)
        except NoAnswer as none:
            # Where it is not known what the server counts, better too little is asked than too much paid.
            await self._settle(reserved, 0 if none.code in _COST_NOTHING else None)
            raise
        await self._settle(reserved, completion.tokens)
        return read(question.shape, completion.text)

    async def _settle(self, reserved: Reservation, used: int | None) -> None:
        """Book what was used; None: it is not known, so all that was reserved."""
        used = reserved.tokens if used is None else used
        self.outcome.tokens += used
        await self.budget.settle(reserved, used)

    async def _exchange(self, question: Question[ShapeT]) -> Completion:
        """One exchange, of which the breaker learns; one that our time limit cuts off counts as a failure."""
        breaker = self.endpoint.breaker
        try:
            completion = await self.endpoint.complete(
                question.instructions, question.data, name=question.name, schema=question.schema
            )
        except NoAnswer as none:
            breaker.failed(none.code, none.retry_after_s)
            raise
        except asyncio.CancelledError:
            breaker.failed("timeout", None)
            raise
        breaker.succeeded()
        return completion

    async def _sit_out_pause(self) -> None:
        """Wait as long as the server asked for; raises NoAnswer where too little time would be left."""
        paused_s = self.endpoint.breaker.paused_s()
        if paused_s:
            ends_at = self.limit.when()
            left_s = 0.0 if ends_at is None else ends_at - asyncio.get_running_loop().time()
            if paused_s > left_s / 2:
                raise NoAnswer("the server asks for a longer pause than there is time", code="rate_limited")
            await asyncio.sleep(paused_s)


def _tell(outcome: Outcome[ShapeT], reason: str, problem: str) -> None:
    outcome.reason = reason
    tell = _log.debug if reason in _OLD_NEWS else _log.warning
    tell("model_gave_no_answer", reason=reason, problem=problem, tokens=outcome.tokens)
