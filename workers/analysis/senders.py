"""What the name and address of a sender show: what kind of sender it is, and whether it is a disguise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from workers.analysis.headers import Address
from workers.analysis.impersonation import disguise_signs

_SENDERS_HELD = 2_000
_FREE_MAIL = re.compile(
    r"(?:^|\.)(?:gmail|googlemail|hotmail|outlook|live|msn|yahoo|ymail|icloud|me|mac|aol|gmx|proton(?:mail)?|zoho|mail|telefonica|terra|orange|wanadoo)\.[a-z.]{2,6}$"
)
_NO_REPLY = re.compile(
    r"no-?_?\.?reply|noresponder|no-?_?responder|donotreply|do-not-reply|nao-?responda", re.IGNORECASE
)
_SYSTEM = re.compile(
    r"^(?:info|news|newsletter|boletin|notif\w*|alerts?|avisos?|support|soporte|billing|facturacion|admin\w*|contact\w*|hello|hola|sales|ventas|comercial|marketing|service|servicio\w*|team|equipo|account\w*|security|seguridad)[\w.+-]{0,20}@",
    re.IGNORECASE,
)
ODD_DOMAIN = re.compile(
    r"(?:[a-z0-9]+-){2,}|\d{4,}|[bcdfghjklmnpqrstvwxz]{6,}|\.(?:xyz|top|click|icu|buzz|site|online|shop|win|bid|loan|club|live|info|ru|cn|tk|ml|ga|cf|gq|space|fun|work|rest|cam|sbs|cyou)$"
)


@lru_cache(maxsize=_SENDERS_HELD)
def sender_signs(sender: Address) -> Mapping[str, float]:
    """Named signs, 0 to 1. Most mail comes from those who wrote before: their signs are at hand."""
    name, address = sender
    return {
        "no_reply_sender": float(_NO_REPLY.search(address) is not None),
        "free_mail_sender": float(_FREE_MAIL.search(sender.domain) is not None),
        "system_sender": float(_SYSTEM.search(address) is not None),
        "name_hides_address": float("@" in name and address.lower() not in name.lower()),
        "odd_sender_domain": float(ODD_DOMAIN.search(sender.domain) is not None),
        "many_digits_in_sender": float(sum(map(str.isdigit, address.partition("@")[0])) >= 5),
        **disguise_signs(sender),
    }
