"""The organizations file (TOML): whose mailboxes, by which rules. Read at start and again on SIGHUP."""

from workers.organizations.directory import Credential, Organizations
from workers.organizations.language_model import LlmSettings
from workers.organizations.loading import load_organizations
from workers.organizations.organization import Organization
from workers.organizations.own_categories import OwnCategory, OwnExamples
from workers.organizations.rules import MODEL_TEXT, Rule, Step, Template, When
from workers.organizations.webhooks import EventType, Webhook

__all__ = [
    "MODEL_TEXT",
    "Credential",
    "EventType",
    "LlmSettings",
    "Organization",
    "Organizations",
    "OwnCategory",
    "OwnExamples",
    "Rule",
    "Step",
    "Template",
    "Webhook",
    "When",
    "load_organizations",
]
