"""The text of a reply or forward: the template's, with the part that a language model writes, if any."""

from __future__ import annotations

from dataclasses import dataclass

from workers import logs
from workers.analysis.llm import WrittenReply
from workers.analysis.mail import Mail
from workers.organizations import MODEL_TEXT, Organization, Rule, Template
from workers.pipeline import templates
from workers.pipeline.context import Context
from workers.store import Record

_log = logs.get_logger("pipeline")
NO_TEXT = "the language model gave no text"


@dataclass(frozen=True)
class Composed:
    """What goes above the quoted mail. Without the model's part it is not whole, and must not be sent."""

    html: str
    subject: str | None
    text_by: str = ""
    is_whole: bool = True


def needs_a_person(rule: Rule, template: Template) -> str:
    """Why a reply by this template must be read before it goes out, or "" where it need not."""
    return "" if rule.llm_may_send or not template.has_model_text else "part of it is by a language model"


async def composed(
    context: Context, organization: Organization, record: Record, mail: Mail, template: Template
) -> Composed:
    """Render a template for a mail; raises PermanentError where it cannot be rendered."""
    analysis = record.analysis or {}
    values = templates.values_for(organization, record.mailbox, mail, analysis)
    written: WrittenReply | None = None
    if template.has_model_text:
        written = await context.language_model.write_reply(
            organization, mail, category=str(analysis.get("category", "")), frame=template.body
        )
        values[MODEL_TEXT] = written.text
        _log.info("reply_text", source=written.source, reason=written.reason, tokens=written.tokens)
    return Composed(
        html=templates.render_body(template.body, values),
        subject=templates.render_subject(template.subject, values) if template.subject else None,
        text_by=_author(written) if written else "",
        is_whole=written is None or bool(written.text),
    )


def _author(written: WrittenReply) -> str:
    who = f"nobody ({written.reason})" if written.reason else written.source
    return f"{who}: {written.model or 'no model'}, {written.tokens} tokens"
