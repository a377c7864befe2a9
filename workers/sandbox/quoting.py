"""Reply and forward drafts with the thread quoted below, in the HTML Outlook on the web writes."""

from __future__ import annotations

import html
import re
from datetime import datetime
from typing import Any

from workers.sandbox import html_text
from workers.sandbox.message import Message
from workers.sandbox.rendering import body_json

_HEAD = '<html><head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head><body>'
_RULE = '<hr tabindex="-1" style="display:inline-block; width:98%">'
_REPLY_PREFIX = re.compile(r"^\s*(re|rv|aw|sv)\s*:", re.IGNORECASE)
_FORWARD_PREFIX = re.compile(r"^\s*(fw|fwd|rv|wg)\s*:", re.IGNORECASE)


def quoted_body(original: Message, comment: str = "") -> dict[str, str]:
    """The body of a new reply or forward: the comment, a rule, who wrote what and when, and the original."""
    body = body_json(original.properties["body"], as_text=False)
    content = (
        f"{_HEAD}{comment}{_RULE}"
        f'<div id="divRplyFwdMsg" dir="ltr">'
        f'<font face="Calibri, sans-serif" color="#000000" style="font-size:11pt">'
        f"{'<br>'.join(_header_lines(original.properties))}</font><div>&nbsp;</div></div>"
        f"{html_text.inner_body(body['content'])}</body></html>"
    )
    return {"contentType": "html", "content": content}


def reply_subject(subject: str) -> str:
    return subject if _REPLY_PREFIX.match(subject) else f"RE: {subject}"


def forward_subject(subject: str) -> str:
    return subject if _FORWARD_PREFIX.match(subject) else f"FW: {subject}"


def _header_lines(properties: dict[str, Any]) -> list[str]:
    sent: datetime = properties["sentDateTime"]
    lines = [
        ("From", _people([properties["from"]] if properties["from"] else [])),
        ("Sent", f"{sent:%A, %B} {sent.day}, {sent.year} {sent:%I:%M %p}".replace(" 0", " ")),
        ("To", _people(properties["toRecipients"])),
        ("Cc", _people(properties["ccRecipients"])),
        ("Subject", html.escape(properties["subject"], quote=False)),
    ]
    return [f"<b>{label}:</b> {value}" for label, value in lines if value]


def _people(recipients: list[dict[str, Any]]) -> str:
    people = [one["emailAddress"] for one in recipients]
    return "; ".join(html.escape(f"{one['name']} <{one['address']}>", quote=False) for one in people)
