"""Automatic texts: jinja2 in a sandbox, everything that comes from a mail escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workers.analysis.mail import Mail
from workers.errors import PermanentError
from workers.organizations import Organization

_ENVIRONMENT = ImmutableSandboxedEnvironment(autoescape=True, keep_trailing_newline=False)
_PLAIN = ImmutableSandboxedEnvironment(autoescape=False)


def values_for(
    organization: Organization, mailbox: str, mail: Mail, analysis: Mapping[str, Any]
) -> dict[str, Any]:
    """What a template may use. Values from the mail are data: they are escaped and never run."""
    address = mail.sender.address
    return {
        "sender_name": mail.sender.name or address.partition("@")[0],
        "sender_address": address,
        "subject": mail.subject,
        "mailbox": mailbox,
        "organization": organization.id,
        "received_at": mail.received_at,
        "category": analysis.get("category", ""),
        "urgency": analysis.get("urgency", ""),
        "language": analysis.get("language", ""),
        "entities": analysis.get("entities", []),
    }


def render_body(template: str, values: Mapping[str, Any]) -> str:
    """HTML of a template whose plain line breaks are kept; raises PermanentError naming what is wrong."""
    return _render(_ENVIRONMENT, template, values).replace("\r\n", "\n").replace("\n", "<br>\n")


def render_subject(template: str, values: Mapping[str, Any]) -> str:
    """One line of plain text."""
    return " ".join(_render(_PLAIN, template, values).split())[:255]


def check_template(text: str) -> str | None:
    """Why a template cannot be used, or None."""
    try:
        _ENVIRONMENT.parse(text)
    except TemplateError as wrong:
        return str(wrong)
    return None


def _render(environment: ImmutableSandboxedEnvironment, template: str, values: Mapping[str, Any]) -> str:
    try:
        return environment.from_string(template).render(values)
    except TemplateError as wrong:
        raise PermanentError(f"the template cannot be rendered: {wrong}", code="template") from wrong
