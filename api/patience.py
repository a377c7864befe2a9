"""How long clients may hold a connection, or a request, without getting on with it."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True)
class Patience:
    """All in seconds."""

    handshake_s: float = 10.0
    """From the connection to the end of TLS' handshake."""
    head_s: float = 10.0
    """From the first byte of a request to the end of its headers; who dribbles them holds a connection."""
    body_s: float = 15.0
    """For a body, which comes right behind its headers; who dribbles it holds a connection and memory."""
    unread_s: float = 30.0
    """During which nothing of our answer goes out."""


PATIENCE: web.AppKey[Patience] = web.AppKey("patience", Patience)
