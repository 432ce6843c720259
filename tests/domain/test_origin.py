"""Rate limits count by network: an IPv4 address or an IPv6 /64."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.origin import Origin, address_in


@pytest.mark.parametrize(
    ("address", "rate_limit_key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("somewhere", "somewhere"),
        ("", ""),
    ],
)
def test_a_network_is_the_ipv4_address_or_the_64(address: str, rate_limit_key: str) -> None:
    assert Origin(address).rate_limit_key == rate_limit_key


@given(network=st.integers(2**61, 2**64 - 1), one=st.integers(0, 2**64 - 1), other=st.integers(0, 2**64 - 1))
def test_every_address_of_a_64_is_counted_together(network: int, one: int, other: int) -> None:
    here, there = (Origin(str(IPv6Address(network << 64 | host))) for host in (one, other))
    assert here.rate_limit_key == there.rate_limit_key
    elsewhere = Origin(str(IPv6Address((network ^ 1) << 64 | one)))
    assert elsewhere.rate_limit_key != here.rate_limit_key


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("somewhere", "somewhere"),
    ],
)
def test_a_network_is_the_24_of_ipv4_or_the_48_of_ipv6(address: str, network: str) -> None:
    assert Origin(address).network == network


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("203.0.113.51", "203.0.113.51"),
        ("203.0.113.51:40001", "203.0.113.51"),
        ('"203.0.113.51:40001"', "203.0.113.51"),
        ("2001:db8::51", "2001:db8::51"),
        ("[2001:db8::51]", "2001:db8::51"),
        ("[2001:db8::51]:40001", "2001:db8::51"),
        ('"[2001:db8::51]:40001"', "2001:db8::51"),
        ("fe80::51%eth0", "fe80::51"),
        ("::ffff:203.0.113.51", "203.0.113.51"),
        ("unknown", None),
        ("_hidden:40001", None),
        ("203.0.113.51:port", None),
        ("[]:1", None),
        ("[]", None),
        (":40001", None),
        ("", None),
    ],
)
def test_an_entry_of_a_proxy_is_an_address_once_port_brackets_and_quotes_are_off(
    entry: str, address: str | None
) -> None:
    assert address_in(entry) == address
