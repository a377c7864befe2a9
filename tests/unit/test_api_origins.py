"""Whose request it is, by the peer and by what proxies say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from api.origins import Origins
from workers.settings import load_settings

DIRECT = Origins(load_settings())
PROXIED = Origins(load_settings(trusted_proxies="10.0.0.0/8, 2001:db8::/32,127.0.0.1"))


def request(peer: str, *headers: tuple[str, str]) -> Any:
    made = make_mocked_request("GET", "/health", CIMultiDict(headers))
    return made.clone(remote=peer)


@pytest.mark.parametrize(
    ("peer", "told", "caller"),
    [
        ("10.1.1.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.1.1.1", ["198.51.100.9, 203.0.113.7"], "203.0.113.7"),
        ("10.1.1.1", ["198.51.100.9", "203.0.113.7 , 10.2.2.2"], "203.0.113.7"),
        ("10.1.1.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", [""], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.7, unknown"], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.7, <script>, 10.2.2.2"], "10.2.2.2"),
        ("203.0.113.8", ["203.0.113.7"], "203.0.113.8"),
        ("2001:db8::1", ["2001:470:1:2:3:4:5:6"], "2001:470:1:2::/64"),
        ("::ffff:10.1.1.1", ["203.0.113.7"], "203.0.113.7"),
    ],
)
def test_only_trusted_proxies_say_who_calls(peer: str, told: Sequence[str], caller: str) -> None:
    asked = request(peer, *(("X-Forwarded-For", line) for line in told))
    assert PROXIED.address_of(asked) == caller


@pytest.mark.parametrize(
    ("peer", "caller"),
    [
        ("203.0.113.8", "203.0.113.8"),
        ("2001:470:1:2:3:4:5:6", "2001:470:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.8", "203.0.113.8"),
        ("", ""),
    ],
)
def test_without_proxies_the_peer_is_the_caller(peer: str, caller: str) -> None:
    assert DIRECT.address_of(request(peer, ("X-Forwarded-For", "198.51.100.9"))) == caller


@pytest.mark.parametrize(
    ("origins", "peer", "told", "secure"),
    [
        (PROXIED, "10.1.1.1", "https", True),
        (PROXIED, "10.1.1.1", "http", False),
        (PROXIED, "203.0.113.8", "https", False),
        (DIRECT, "10.1.1.1", "https", False),
    ],
)
def test_https_is_believed_of_trusted_proxies(origins: Origins, peer: str, told: str, secure: bool) -> None:
    assert origins.is_secure(request(peer, ("X-Forwarded-Proto", told))) is secure
