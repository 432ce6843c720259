"""Rate limits count by network: an IPv4 address, or the /64 that one connection gets."""

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
def test_a_network_is_the_address_or_its_64(address: str, rate_limit_key: str) -> None:
    assert Origin(address).rate_limit_key == rate_limit_key


@given(network=st.integers(2**61, 2**64 - 1), one=st.integers(0, 2**64 - 1), other=st.integers(0, 2**64 - 1))
def test_no_address_of_a_64_escapes_the_count_of_its_neighbours(network: int, one: int, other: int) -> None:
    here, there = (Origin(str(IPv6Address(network << 64 | host))) for host in (one, other))
    assert here.rate_limit_key == there.rate_limit_key
    elsewhere = Origin(str(IPv6Address((network ^ 1) << 64 | one)))
    assert elsewhere.rate_limit_key != here.rate_limit_key
