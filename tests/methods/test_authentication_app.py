"""Time-based codes as in RFC 6238, one step either side, each accepted once; and what is said of a wrong clock."""

from __future__ import annotations

from base64 import b32encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyotp import TOTP
from sqlalchemy import insert

from tests.conftest import Site
from tests.doubles import START
from tests.people import Owner
from webapp.domain.refusals import ClockSlow, CodeAlreadyUsed, CodeMalformed, WrongCode
from webapp.methods.authentication_app import AuthenticationApp, matching_step
from webapp.models.accounts import Account
from webapp.models.factors import Factor, factor_bound
from webapp.policy import Policy
from webapp.services.method import Challenge

POLICY = Policy()
RFC_SECRET = b32encode(b"12345678901234567890").decode()
VECTORS = [  # RFC 6238 appendix B, SHA-1; our codes are the last six of its eight digits
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


@pytest.mark.parametrize(("now", "eight"), VECTORS)
def test_the_vectors_of_rfc_6238_are_accepted_at_their_time(now: int, eight: str) -> None:
    assert matching_step(RFC_SECRET, eight[-6:], now, POLICY) == now // 30


@given(now=st.integers(10_000, 2**33), ahead=st.integers(-30, 30))
def test_a_code_of_the_step_before_or_after_is_accepted_as_its_own_step(now: int, ahead: int) -> None:
    code = TOTP(RFC_SECRET).at(now + ahead)
    step = matching_step(RFC_SECRET, code, now, POLICY)
    assert abs(step - now // 30) <= 1
    assert TOTP(RFC_SECRET).generate_otp(step) == code


@given(steps=st.integers(2, 20), now=st.integers(10_000, 2**33))
@example(steps=8, now=START)
def test_a_code_further_away_is_never_accepted_and_only_an_earlier_one_tells_more(steps: int, now: int) -> None:
    for direction, refusal in ((-1, ClockSlow), (1, WrongCode)):
        code = TOTP(RFC_SECRET).generate_otp(now // 30 + direction * steps)
        nearer = range(now // 30 - (20 if direction > 0 else steps - 1), now // 30 + 2)
        if code in (TOTP(RFC_SECRET).generate_otp(step) for step in nearer if step >= 0):
            continue  # one time in ten thousand a nearer step has the same code
        with pytest.raises(refusal) as refused:
            matching_step(RFC_SECRET, code, now, POLICY)
        if isinstance(refused.value, ClockSlow):
            assert refused.value.minutes in {max(1, steps // 2), -(-steps // 2)}


@pytest.mark.parametrize(("behind", "minutes"), [(60, 1), (90, 2), (240, 4), (600, 10)])
def test_a_slow_clock_is_reported_in_minutes(behind: int, minutes: int) -> None:
    with pytest.raises(ClockSlow) as refused:
        matching_step(RFC_SECRET, TOTP(RFC_SECRET).at(START - behind), START, POLICY)
    assert refused.value.minutes == minutes


@pytest.mark.parametrize("ahead", [-660, 60, 90, 240, 600, 660, 86400])
def test_a_code_of_the_future_or_of_more_than_ten_minutes_ago_is_only_wrong(ahead: int) -> None:
    with pytest.raises(WrongCode):
        matching_step(RFC_SECRET, TOTP(RFC_SECRET).at(START + ahead), START, POLICY)


@pytest.fixture
def factor(site: Site) -> Factor:
    Owner.signed_up(site)
    with site.services.db.write() as tx:
        sealed = site.services.core.keyring.seal(RFC_SECRET, factor_bound(1, AuthenticationApp.slug))
        whose = {"account_id": 1, "method": AuthenticationApp.slug, "external_id": ""}
        values = {**whose, "sealed": sealed, "added_at": START}
        tx.execute(insert(Factor).values(values))
    return stored(site)


def stored(site: Site) -> Factor:
    with site.services.db.read() as tx:
        return tx.objects.get_one(Factor, 1)


def prove(site: Site, factor: Factor, code: str) -> None:
    method = site.services.methods.named(AuthenticationApp.slug)
    assert method is not None
    with site.services.db.write() as tx:
        challenge = Challenge(tx.objects.get_one(Account, 1), "log-in:1", [factor])
        method.verify(tx, challenge, {"code": code} if code else {})


def test_a_step_is_accepted_once_and_no_earlier_one_after_it(site: Site, factor: Factor) -> None:
    app = TOTP(RFC_SECRET)
    prove(site, factor, app.at(START))
    assert stored(site).counter == START // 30
    assert stored(site).logged_in_at == START
    for again in (app.at(START), app.at(START - 30)):
        with pytest.raises(CodeAlreadyUsed):
            prove(site, factor, again)
    prove(site, factor, app.at(START + 30))
    assert stored(site).counter == START // 30 + 1


def test_a_factor_that_was_turned_off_proves_nothing(site: Site, factor: Factor) -> None:
    with site.services.db.write() as tx:
        tx.objects.get_one(Factor, factor.id).turned_off_at = START
    with pytest.raises(CodeAlreadyUsed):
        prove(site, factor, TOTP(RFC_SECRET).at(START))


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef"])
def test_a_malformed_code_is_reported_as_malformed(site: Site, factor: Factor, typed: str) -> None:
    with pytest.raises(CodeMalformed):
        prove(site, factor, typed)


def test_digits_of_another_script_with_a_space_are_accepted(site: Site, factor: Factor) -> None:
    code = TOTP(RFC_SECRET).at(START).translate(str.maketrans("0123456789", "०१२३४५६७८९"))
    prove(site, factor, f"{code[:3]} {code[3:]}")
