"""Where a request comes from: the peer, or what a proxy that we trust says of it."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import web

from workers.settings import Settings

# What one household or server gets of IPv6; who holds one holds all addresses in it.
_OWN_BITS = 64


class Origins:
    """Addresses of callers. Only of these proxies are X-Forwarded-For and X-Forwarded-Proto believed."""

    def __init__(self, settings: Settings) -> None:
        self._trusted = settings.trusted_proxies
        self._serves_tls = settings.tls_cert_file is not None

    def address_of(self, request: web.Request) -> str:
        """The caller's address; of IPv6 the network of 64 bits, which is one caller's."""
        peer = request.remote or ""
        if not self._trusted or not self._is_trusted(peer):
            return _of_one_caller(peer)
        hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        caller = peer
        # Each proxy appends who called it: from the right, the first that is none of ours is the caller.
        while hops and self._is_trusted(caller):
            hop = hops.pop().strip()
            if _parsed(hop) is None:
                break
            caller = hop
        return _of_one_caller(caller)

    def is_secure(self, request: web.Request) -> bool:
        """Whether the caller used https, with us or with a proxy that we trust."""
        if self._serves_tls or not self._trusted:
            return self._serves_tls
        told = request.headers.get("X-Forwarded-Proto", "").strip().lower()
        return told == "https" and self._is_trusted(request.remote or "")

    def _is_trusted(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


ORIGINS: web.AppKey[Origins] = web.AppKey("origins", Origins)


@lru_cache(maxsize=4096)
def _of_one_caller(address: str) -> str:
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _OWN_BITS), strict=False))
    return address if parsed is None else str(parsed)


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
