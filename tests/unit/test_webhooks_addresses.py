"""To which addresses a webhook may lead."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from workers.webhooks.addresses import may_connect

PUBLIC = ["8.8.8.8", "52.97.1.2", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1"]
INSIDE = [
    "0.0.0.0",  # noqa: S104 nothing is bound to it
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.1.2.3",
    "169.254.169.254",
    "168.63.129.16",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_connected_to(address: str) -> None:
    assert may_connect(ip_address(address), ())
    assert not may_connect(ip_address(address), (), also_public=False)


@pytest.mark.parametrize("address", INSIDE)
def test_what_lies_inside_may_not_unless_its_network_is_allowed(address: str) -> None:
    found = ip_address(address)
    assert not may_connect(found, ())
    assert not may_connect(found, (ip_network("10.99.0.0/16"), ip_network("fd99::/16")))
    for also_public in (True, False):
        assert may_connect(found, (ip_network(address),), also_public=also_public)
