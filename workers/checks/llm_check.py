"""Whether each organization's language model answers, and in a form that can be used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from workers.analysis.llm import LanguageModel
from workers.checks.finding import Finding, note, ok, problem
from workers.errors import NoAnswer, SettingsError
from workers.graph.tls import trust
from workers.organizations import Organization, Organizations
from workers.redis_clients import AsyncRedis
from workers.settings import Settings

_WHAT_TO_DO = {
    "unreachable": "cannot be reached: correct endpoint, or let this host out to it",
    "refused": "refuses the key or does not know the model: correct api_key and model",
    "bad_request": "refuses our requests: correct endpoint (its path, too), model and api",
    "timeout": "does not answer in time: raise timeout_s, or take a faster model",
    "malformed": (
        "gives answers that cannot be used: take a model that knows structured output; one that thinks "
        "before it answers needs a higher max_output_tokens"
    ),
    "rate_limited": "asks us to slow down: raise its quota",
    "server_error": "fails: look at its own logs",
}


async def check_language_models(
    settings: Settings, organizations: Organizations, client: AsyncRedis
) -> AsyncIterator[Finding]:
    """Ask each model about a mail of our own; it takes some hundred tokens of the day's budget."""
    async with LanguageModel.open(settings, organizations, client, trust(settings.ca_file)) as model:
        for organization in organizations:
            if organization.llm.use != "never":
                yield await _finding(model, organization)


async def _finding(model: LanguageModel, organization: Organization) -> Finding:
    subject = f"language model of {organization.id}"
    name = f"{organization.llm.model} at {urlsplit(organization.llm.endpoint).netloc}"
    try:
        return ok(subject, f"{name}: {await model.try_out(organization)}")
    except SettingsError as wrong:
        return problem(subject, str(wrong))
    except NoAnswer as none:
        if none.code == "budget":
            return note(subject, f"{name} was not asked: tokens_per_day leave no room today")
        return problem(subject, f"{name} {_WHAT_TO_DO.get(none.code, f'gives no answer ({none.code})')}")
