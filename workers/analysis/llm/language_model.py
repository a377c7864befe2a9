"""The language model as the pipeline uses it: a second opinion on a mail, and text for replies to it.

Mail is data to it, its answers are choices among ours: a category, two levels, a confidence, or text that a
template frames. Whatever goes wrong, the caller gets the local result, within the organization's time limit.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from workers import logs
from workers.analysis.llm.asking import Asker
from workers.analysis.llm.pooling import pooled
from workers.analysis.llm.prompts import reading_of, reply_to
from workers.analysis.llm.question import Outcome, Question
from workers.analysis.llm.redaction import without_details
from workers.analysis.llm.reply_text import fit_to_send
from workers.analysis.llm.shapes import ReplyText, ShapeT
from workers.analysis.llm.shown_mail import ShownMail, show
from workers.analysis.mail import Mail
from workers.analysis.result import Analysis
from workers.analysis.understand import analyse
from workers.errors import NoAnswer, SettingsError
from workers.organizations import Organization, Organizations
from workers.redis_clients import AsyncRedis
from workers.settings import Settings

if TYPE_CHECKING:
    from workers.analysis.llm.endpoint import Endpoint

_log = logs.get_logger("llm")
_CHECKED_WITH = Mail(
    id="check", subject="Factura de prueba", body="Adjuntamos la factura de este mes. Gracias."
)


@dataclass(frozen=True)
class WrittenReply:
    """Text for the middle of a reply, or "" and the reason; who wrote it, and the tokens that it took."""

    text: str
    model: str
    source: str
    reason: str = ""
    tokens: int = 0


class LanguageModel:
    """The models of all organizations, as one process asks them."""

    def __init__(
        self, settings: Settings, organizations: Organizations, client: AsyncRedis, tls: ssl.SSLContext
    ) -> None:
        # The other half of what this process has in hand is for mail that waits for no model.
        self._asker = Asker(client, settings.namespace, at_once=max(1, settings.worker_threads // 2))
        self._organizations = organizations
        self._tls = tls
        self._endpoints: dict[str, Endpoint] = {}
        self._retired: list[Endpoint] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, organizations: Organizations, client: AsyncRedis, tls: ssl.SSLContext
    ) -> AsyncIterator[LanguageModel]:
        """Ready to ask; connections are made when there is something to ask."""
        model = cls(settings, organizations, client, tls)
        await model.reload(organizations)
        try:
            yield model
        finally:
            for endpoint in (*model._endpoints.values(), *model._retired):
                await endpoint.close()

    async def reload(self, organizations: Organizations) -> None:
        """Take over changed settings and keys; what is asked now goes on, at most until the next reload."""
        self._organizations = organizations
        for endpoint in self._retired:
            await endpoint.close()
        self._retired = list(self._endpoints.values())
        self._endpoints = {}
        if any(organization.llm.use != "never" for organization in organizations):
            await _endpoint_module()

    async def second_opinion(self, organization: Organization, mail: Mail, analysis: Analysis) -> Analysis:
        """The local analysis, pooled with the model's where the organization wants it asked.

        `llm` of the result says what came of that; without an answer everything else is the local result.
        """
        settings = organization.llm
        if settings.use == "never":
            return analysis
        if settings.use == "unsure" and not analysis.abstained:
            return replace(analysis, llm={"source": "local", "reason": "sure"})
        outcome, _ = await self._ask(organization, mail, analysis, reading_of)
        told = _told(organization, outcome)
        reading = outcome.answer
        if reading is None:
            return replace(analysis, llm=told)
        told |= {"category": reading.category, "confidence": reading.confidence}
        told |= {"explanation": without_details(reading.reason)}
        return replace(pooled(analysis, reading, floor=organization.confidence_floor), llm=told)

    async def write_reply(
        self, organization: Organization, mail: Mail, *, category: str, frame: str
    ) -> WrittenReply:
        """Text for the middle of a reply to a mail, to stand in `frame` (the template as configured)."""
        model = organization.llm.model
        if organization.llm.use == "never":
            return WrittenReply("", model, "local", "off")

        def question_of(shown: ShownMail) -> Question[ReplyText]:
            return reply_to(shown, category=category, frame=frame)

        outcome, shown = await self._ask(organization, mail, None, question_of)
        if outcome.answer is None or shown is None:
            return WrittenReply("", model, outcome.source, outcome.reason, outcome.tokens)
        try:
            text = fit_to_send(outcome.answer.text, shown.originals, frame=frame)
        except NoAnswer as unfit:
            self._asker.count(organization.id, Outcome(reason=unfit.code))
            return WrittenReply("", model, outcome.source, unfit.code, outcome.tokens)
        return WrittenReply(text, model, outcome.source, tokens=outcome.tokens)

    async def tokens_today(self, organization_id: str) -> int:
        """Tokens of an organization that are used or reserved today (UTC)."""
        return await self._asker.budget.used(organization_id)

    async def try_out(self, organization: Organization) -> str:
        """Ask the model about a mail of our own; returns how it answers, raises NoAnswer or SettingsError."""
        endpoint = await self._endpoint(organization)
        shown = show(_CHECKED_WITH, analyse(_CHECKED_WITH), ours=(), redact=True)
        # Never the same again: the cache would answer in the model's place.
        question = reading_of(replace(shown, facts=shown.facts | {"check": token_hex(8)}))
        outcome = await self._asker.ask(organization.id, endpoint, question)
        if outcome.answer is None:
            raise NoAnswer(outcome.reason, code=outcome.reason)
        return f"answers in {outcome.ms:.0f} ms, {endpoint.structured}, {outcome.tokens} tokens"

    async def _ask(
        self,
        organization: Organization,
        mail: Mail,
        analysis: Analysis | None,
        question_of: Callable[[ShownMail], Question[ShapeT]],
    ) -> tuple[Outcome[ShapeT], ShownMail | None]:
        """How a question about a mail went, and what the model was shown of it (None: nothing)."""
        settings, ours = organization.llm, organization.mailboxes
        try:
            endpoint = await self._endpoint(organization)
            # In a thread: a long text takes a while, and must not hold up the event loop.
            shown = await asyncio.to_thread(
                lambda: show(mail, analysis or analyse(mail), ours=ours, redact=settings.redact)
            )
        except (NoAnswer, SettingsError) as none:
            if none.code != "empty":
                _log.warning("model_not_asked", reason=none.code, problem=str(none))
            outcome: Outcome[ShapeT] = Outcome(reason=none.code)
            self._asker.count(organization.id, outcome)
            return outcome, None
        return await self._asker.ask(organization.id, endpoint, question_of(shown)), shown

    async def _endpoint(self, organization: Organization) -> Endpoint:
        if (endpoint := self._current(organization)) is not None:
            return endpoint
        module = await _endpoint_module()
        if (endpoint := self._current(organization)) is None:
            if organization.id in self._endpoints:
                self._retired.append(self._endpoints.pop(organization.id))
            key = self._organizations.llm_key(organization)
            endpoint = self._endpoints[organization.id] = module.Endpoint(organization.llm, key, self._tls)
        return endpoint

    def _current(self, organization: Organization) -> Endpoint | None:
        """The organization's endpoint, if it has the settings that the organization has now."""
        endpoint = self._endpoints.get(organization.id)
        return endpoint if endpoint is not None and endpoint.settings == organization.llm else None


async def _endpoint_module() -> Any:
    """Imported where a model is used, in a thread: it takes a second, and 40 MB."""
    return await asyncio.to_thread(import_module, "workers.analysis.llm.endpoint")


def _told(organization: Organization, outcome: Outcome[ShapeT]) -> dict[str, Any]:
    """What a trace says of a question."""
    told: dict[str, Any] = {
        "source": outcome.source,
        "model": organization.llm.model,
        "tokens": outcome.tokens,
        "ms": outcome.ms,
    }
    return told | {"reason": outcome.reason} if outcome.reason else told
