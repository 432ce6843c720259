"""Rate limits count by network: an IPv4 address or an IPv6 /64."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.origin import Origin


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
