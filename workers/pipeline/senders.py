"""Whether an answer may go out by itself: not where the sender may not be who the mail says. No I/O."""

from __future__ import annotations

import re

from workers.analysis.mail import Mail

# RFC 8601: method=result in Authentication-Results.
_FAILED = re.compile(r"\b(?:dmarc|spf)\s*=\s*(?:fail|hardfail|permerror)\b", re.IGNORECASE)


def answer_goes_to_a_person(mail: Mail) -> str:
    """Why a reply must stay a draft for a person to check, or "" where it may be sent."""
    sender_domain = _domain(mail.sender.address)
    for address in mail.reply_to:
        if _domain(address.address) != sender_domain:
            return "Reply-To names another domain than From"
    results = mail.header("Authentication-Results") or ""
    if _FAILED.search(results):
        return "the sender's authentication failed"
    return ""


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
