"""Counter-based codes as RFC 4226 has them: each once, a little ahead alone, further ahead two in a row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from pyotp import HOTP

from tests.conftest import Site
from tests.people import DESKTOP, Owner
from tests.toys.hotp_token import LOOK_AHEAD, RESYNC_AHEAD, OutOfStep, SecretMalformed, matching_count, read_secret
from tests.toys.users import TokenUser
from webapp.domain.refusals import CodeAlreadyUsed, CodeMalformed, Refusal, WrongCode
from webapp.models.factors import Factor
from webapp.services.method import Challenge

KEY = b"12345678901234567890"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
CODES = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")
"""RFC 4226 appendix D, of `KEY`."""
HOME = "Welcome, Ada Lovelace"
AHEAD = "Your token is ahead. Press its button again and enter the next code as well."


@pytest.fixture
def token(site: Site) -> TokenUser:
    """Turned on with its first two codes; the next is the third."""
    ada = Owner.signed_up(site, layout=DESKTOP)
    token = TokenUser(ada, SECRET)
    token.turn_on()
    ada.press("Got it")
    return token


def factor_of(site: Site) -> Factor:
    with site.services.db.read() as tx:
        return tx.objects.get_one(Factor, 1)


@pytest.mark.parametrize(("count", "code"), list(enumerate(CODES)))
def test_the_vectors_of_rfc_4226_are_accepted_in_their_place(count: int, code: str) -> None:
    assert matching_count(HOTP(SECRET), count - 1, code, "") == count


@pytest.mark.parametrize(("count", "code"), list(enumerate(CODES)))
def test_the_newest_used_code_and_those_before_it_are_used(count: int, code: str) -> None:
    for newest_used in (count, count + LOOK_AHEAD - 1):
        with pytest.raises(CodeAlreadyUsed):
            matching_count(HOTP(SECRET), newest_used, code, "")


def test_the_look_ahead_ends_where_it_says() -> None:
    hotp = HOTP(SECRET)
    assert matching_count(hotp, 0, hotp.at(LOOK_AHEAD), "") == LOOK_AHEAD
    with pytest.raises(OutOfStep):
        matching_count(hotp, 0, hotp.at(LOOK_AHEAD + 1), "")
    with pytest.raises(WrongCode):
        matching_count(hotp, 0, hotp.at(RESYNC_AHEAD + 1), hotp.at(RESYNC_AHEAD + 2))


def test_further_ahead_only_the_very_next_code_will_do() -> None:
    hotp = HOTP(SECRET)
    assert matching_count(hotp, 0, hotp.at(50), hotp.at(51)) == 51
    assert matching_count(hotp, 0, hotp.at(RESYNC_AHEAD), hotp.at(RESYNC_AHEAD + 1)) == RESYNC_AHEAD + 1
    for after in (hotp.at(50), hotp.at(52), hotp.at(1), "000000"):
        with pytest.raises(WrongCode):
            matching_count(hotp, 0, hotp.at(50), after)
    with pytest.raises(CodeMalformed):
        matching_count(hotp, 0, hotp.at(50), "12")


@pytest.mark.parametrize(
    "typed",
    [
        SECRET,
        "gezd gnbv-gy3t qojq gezd gnbv gy3t qojq",
        KEY.hex(),
        KEY.hex().upper(),
        "31 32 33 34 35" * 1 + KEY.hex()[10:],
    ],
)
def test_a_secret_is_read_as_base32_and_as_hexadecimal(typed: str) -> None:
    assert read_secret(typed) == SECRET


@pytest.mark.parametrize(
    "typed", ["", "-", "GEZDGNBV", KEY.hex()[:30], KEY.hex()[:39], "1" * 27 + "Z", "é" * 32, "A" * 200]
)
def test_what_is_no_secret_is_refused(typed: str) -> None:
    with pytest.raises(SecretMalformed):
        read_secret(typed)


def test_a_secret_that_is_none_is_said_beside_the_field_and_another_can_be_entered(site: Site) -> None:
    ada = Owner.signed_up(site)
    token = TokenUser(ada)
    assert token.begin().h1 == "Enter the secret of your token"
    page = ada.press("Next", secret="12345")
    assert (page.status, page.problems) == (422, ["Enter the whole secret as it is printed on the card of your token."])
    assert ada.press("Next", secret="").problems == ["Enter the secret of your token."]
    page = ada.press("Next", secret=KEY.hex())
    assert page.h1 == "Enter two codes in a row"
    page = ada.follow("Enter another secret")
    assert not page.field("Secret").get("value"), "a secret is never shown again"
    ada.press("Next", secret=KEY.hex())
    page = ada.press("Verify", code=CODES[4], next_code=CODES[6])
    assert page.problems == ["Wrong code. Check it and try again."]
    assert ada.press("Verify", code=CODES[4], next_code="").problems == ["Enter the next code."]
    assert ada.press("Verify", code=CODES[4], next_code=CODES[5]).h1 == "You're all set"
    assert factor_of(site).counter == 5
    assert KEY.hex() not in factor_of(site).sealed


def test_the_codes_that_turned_it_on_open_nothing(token: TokenUser) -> None:
    ada = token.owner
    ada.log_in_again()
    for code in CODES[:2]:
        assert ada.press("Verify", code=code).problems == [token.replayed]


def test_a_few_presses_ahead_are_passed_over_and_void(token: TokenUser) -> None:
    ada = token.owner
    ada.log_in_again()
    skipped = token.press()
    assert ada.press("Verify", code=token.press(LOOK_AHEAD - 1)).h1 == HOME
    assert factor_of(ada.site).counter == LOOK_AHEAD + 1
    ada.log_in_again()
    assert ada.press("Verify", code=skipped).problems == [token.replayed]


def test_many_presses_ahead_take_two_codes_in_a_row(token: TokenUser) -> None:
    ada = token.owner
    page = ada.log_in_again()
    assert "Next code" not in page.text
    code = token.press(40)
    page = ada.press("Verify", code=code)
    assert (page.status, page.problems) == (422, [AHEAD])
    assert page.field("Code")["value"] == code
    assert page.field("Next code")["aria-invalid"] == "true"
    assert ada.press("Verify", next_code=token.press()).h1 == HOME
    assert factor_of(ada.site).counter == 42


def test_many_presses_ahead_and_a_wrong_next_code_is_wrong(token: TokenUser) -> None:
    ada = token.owner
    ada.log_in_again()
    ada.press("Verify", code=token.press(40))
    page = ada.press("Verify", next_code="000000")
    assert page.problems == ["Wrong code. Check it and try again."]
    assert factor_of(ada.site).counter == 1


def test_of_two_requests_at_once_with_one_code_one_is_right(token: TokenUser) -> None:
    site = token.owner.site
    method, account, factor = (
        site.services.methods.named("hotp-token"),
        token.owner.site.services.accounts,
        factor_of(site),
    )
    challenge = Challenge(account.named("ada"), "log-in:1", [factor])
    start, code = Barrier(2), token.press()

    def prove(_place: int) -> type[Refusal] | None:
        start.wait()
        try:
            with site.services.db.write() as tx:
                method.verify(tx, challenge, {"code": code})
        except Refusal as refusal:
            return type(refusal)
        return None

    with ThreadPoolExecutor(2) as two:
        assert sorted(two.map(prove, range(2)), key=str) == [CodeAlreadyUsed, None]
