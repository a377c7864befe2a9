"""Signatures in the form of Standard Webhooks (https://www.standardwebhooks.com, specification 1.0.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from workers.errors import SettingsError

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64


def key_of(secret: str) -> bytes:
    """The key in a secret, `whsec_` and base64 of 24 to 64 bytes; raises SettingsError without showing it."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise SettingsError(
            f'a webhook\'s secret is "{_PREFIX}" and base64 of {_SHORTEST} to {_LONGEST} random bytes: '
            f"printf '{_PREFIX}%s' \"$(openssl rand -base64 32)\""
        )
    return key


def signed_headers(keys: Sequence[bytes], event_id: str, sent_at_s: int, body: bytes) -> dict[str, str]:
    """The headers that prove a body: its id, when it is sent (Unix time), and a signature by each key."""
    content = b".".join((event_id.encode(), str(sent_at_s).encode(), body))
    digests = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(sent_at_s),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }
