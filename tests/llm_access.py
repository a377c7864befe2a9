"""A language model of an organization, as a worker process asks it, against a server of ours."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from tests.llm_server import LlmServer
from workers.analysis import Mail, analyse
from workers.analysis.headers import Address
from workers.analysis.llm import LanguageModel
from workers.analysis.result import Analysis
from workers.organizations import LlmSettings, Organization, Organizations
from workers.redis_clients import AsyncRedis
from workers.settings import Settings

MAILBOX = "soporte@acme.example"
NOW = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)


def organization(
    server: LlmServer, *, name: str = "acme", floor: float = 0.6, **changes: Any
) -> Organization:
    """One that asks the server about every mail, unless said otherwise."""
    given = {"use": "always", "endpoint": server.url, "model": "test-model", "timeout_s": 5.0, **changes}
    return Organization(
        id=name,
        tenant_id="t",
        client_id="c",
        client_secret="env:NOT_SET",
        mailboxes=(f"soporte@{name}.example",),
        confidence_floor=floor,
        llm=LlmSettings(**given),
    )


@asynccontextmanager
async def language_model(
    redis: AsyncRedis, *organizations: Organization, **settings: Any
) -> AsyncIterator[LanguageModel]:
    known = Organizations(organizations)
    tls = ssl.create_default_context()
    async with LanguageModel.open(Settings(**settings), known, redis, tls) as model:
        yield model


def a_mail(body: str = "Hola, ¿me podéis ayudar con esto?", **changes: Any) -> Mail:
    given: dict[str, Any] = {
        "id": "m1",
        "subject": "Una consulta",
        "body": body,
        "sender": Address("Ana Ruiz", "ana.ruiz@cliente.example"),
        "to": (Address("Soporte", MAILBOX),),
        "received_at": NOW,
    }
    return Mail(**{**given, **changes})


async def opinion(model: LanguageModel, asked_by: Organization, mail: Mail | None = None) -> Analysis:
    """The local analysis of a mail with the model's second opinion."""
    mail = mail or a_mail()
    return await model.second_opinion(asked_by, mail, analyse(mail, floor=asked_by.confidence_floor))
