"""A new message of our own (not a reply): a tagged draft, to be sent as other drafts are."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from workers.errors import TemporaryError
from workers.graph import paths
from workers.graph.client import Graph
from workers.graph.drafts import TAG_PROPERTY


async def create_mail(
    graph: Graph,
    mailbox: str,
    *,
    tag: str,
    to: Sequence[str],
    subject: str,
    html: str,
    attachment: tuple[str, str, bytes] | None = None,
) -> str:
    """Create a draft and return its id. `attachment`: name, content type and content (under 3 MB).

    Graph cannot set Auto-Submitted; X-Auto-Response-Suppress keeps Exchange's own answers away
    (MS-OXCMAIL 2.1.3.2.20).
    """
    message: dict[str, Any] = {
        "subject": subject,
        "body": {"contentType": "html", "content": html},
        "toRecipients": [{"emailAddress": {"address": address}} for address in to],
        "singleValueExtendedProperties": [{"id": TAG_PROPERTY, "value": tag}],
        "internetMessageHeaders": [{"name": "X-Auto-Response-Suppress", "value": "All"}],
    }
    if attachment is not None:
        name, content_type, content = attachment
        message["attachments"] = [
            {
                "@odata.type": "#microsoft.graph.fileAttachment",
                "name": name,
                "contentType": content_type,
                "contentBytes": base64.b64encode(content).decode(),
            }
        ]
    draft = await graph.post(f"{paths.user(mailbox)}/messages", mailbox=mailbox, json=message)
    if draft is None:
        raise TemporaryError("Graph created a draft and did not say which")
    return str(draft["id"])
