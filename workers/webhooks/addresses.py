"""Which addresses may be connected to: the public ones, and networks that the operator allows.

Judged is the address that a socket is about to connect to, whatever name or form led to it: a name that
resolves to something else the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
AddrInfo: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]

# Public by number, yet it is the inside of every machine on Azure (Microsoft Learn: What is IP address
# 168.63.129.16?).
_AZURE_PLATFORM = ip_address("168.63.129.16")
# RFC 6052: a gateway takes these to the IPv4 address in the last four bytes.
_NAT64 = IPv6Network("64:ff9b::/96")


FORBIDDEN = "its address is not public, and ECONEURA_WEBHOOK_NETWORKS does not allow it"


def socket_factory(allowed: Sequence[Network], *, also_public: bool) -> Callable[[AddrInfo], socket.socket]:
    """Makes the sockets of a connector; raises OSError (FORBIDDEN) where one may not be connected to."""

    def make(found: AddrInfo) -> socket.socket:
        family, kind, protocol, _, place = found
        if not may_connect(ip_address(str(place[0]).partition("%")[0]), allowed, also_public=also_public):
            raise OSError(FORBIDDEN)
        return socket.socket(family, kind, protocol)

    return make


def may_connect(address: Address, allowed: Sequence[Network], *, also_public: bool = True) -> bool:
    """Whether the address is in an allowed network or, with `also_public`, one of the open internet."""
    if any(address in network for network in allowed):
        return True
    return also_public and all(_is_public(one) for one in (address, *_inside(address)))


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and address != _AZURE_PLATFORM


def _inside(address: Address) -> Iterator[IPv4Address]:
    """IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
