"""Which addresses an app may make this site call."""

from __future__ import annotations

import pytest

from webapp.domain.network_addresses import is_allowed, is_loopback

PRIVATE = (
    "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.0.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1", "192.88.99.1", "3fff::1", "2001:db8::1",
    "2002:0a00:0001::1", "2002:7f00:0001::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1",
)  # fmt: skip
PUBLIC = (
    "1.1.1.1", "172.32.0.1", "100.128.0.1", "223.255.255.255", "2606:4700::1111", "64:ff9b::1.1.1.1",
    "::ffff:1.1.1.1", "2002:0101:0101::1",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_called(address: str) -> None:
    assert not is_allowed(address, [])


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_called(address: str) -> None:
    assert is_allowed(address, [])


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("64:ff9b::10.1.2.3", "10.0.0.0/8"),
        ("64:ff9b::10.1.2.3", "10.1.2.3"),
        ("fd00::1", "fd00::/8"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_network_of_the_settings_may_be_called(address: str, network: str) -> None:
    assert is_allowed(address, ["192.0.2.0/24", network])
    assert not is_allowed(address, ["192.0.2.0/24", "fd12::/16"])


def test_this_machine_is_known_in_every_spelling() -> None:
    assert all(is_loopback(address) for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"))
    assert not any(is_loopback(address) for address in ("10.0.0.1", "1.1.1.1", "fe80::1"))


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="localhost"):
        is_allowed("localhost", [])
