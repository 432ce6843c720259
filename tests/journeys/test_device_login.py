"""People log in to apps on devices without a browser (RFC 8628)."""

from __future__ import annotations

import pytest

from tests.attacks.tools import count
from tests.conftest import Site
from tests.keyed_app import KEY as OWN
from tests.keyed_app import RSA as OTHER
from tests.keyed_app import KeyedApp, proof
from tests.people import ANDROID, DESKTOP, Owner
from tests.relying_party import DEVICE_CODE, ISSUER, PUBLIC, WEB, RelyingParty, Television, json_of
from webapp.models.registered_apps import KEY


@pytest.fixture(params=[DESKTOP, ANDROID])
def ada(request: pytest.FixtureRequest, site: Site) -> Owner:
    return Owner.signed_up(site, layout=request.param)


def typed(person: Owner, code: str) -> str | None:
    """The heading of the page after the code."""
    person.open("/device")
    return person.press("Continue", code=code).h1


@pytest.mark.parametrize("kind", [WEB, PUBLIC])
def test_a_device_is_connected(site: Site, ada: Owner, kind: str) -> None:
    films = Television(site, kind)
    shown = films.show()
    assert (shown["verification_uri"], shown["expires_in"], shown["interval"]) == (f"{ISSUER}/device", 600, 5)
    assert films.poll()["error"] == "authorization_pending"
    page = ada.open("/device")
    assert page.h1 == "Connect a device"
    assert typed(ada, shown["user_code"]) == "Log in to Films"
    assert ada.page is not None
    assert ada.page.says("IP address 198.51.100.44")
    assert ada.page.says("Your email address")
    page = ada.press("Continue")
    assert page.h1 == "Connected apps"
    assert page.says("Films")
    site.clock.pass_(5)
    tokens = films.poll()
    assert films.read(tokens["id_token"])["aud"] == films.client_id
    assert json_of(films.userinfo(tokens["access_token"]))["email"] == ada.email
    assert ada.open("/settings/security/activity").says("You logged in to the app Films on a device.")
    assert json_of(films.refresh(tokens["refresh_token"]))["access_token"]


def test_a_refused_device_is_told(site: Site, ada: Owner) -> None:
    films = Television(site)
    assert typed(ada, films.show()["user_code"]) == "Log in to Films"
    assert ada.press("Cancel").says("The device wasn't connected.")
    assert films.poll()["error"] == "access_denied"
    assert ada.open("/settings/security/activity").says("You refused to log in to the app Films on a device.")


def test_a_code_expires_after_ten_minutes(site: Site, ada: Owner) -> None:
    films = Television(site)
    typed(ada, films.show()["user_code"])
    site.clock.pass_(600)
    page = ada.press("Continue")
    assert page.h1 == "Connect a device"
    assert page.says("That code has expired. Request a new one.")
    assert films.poll()["error"] == "expired_token"
    assert typed(ada, films.shown["user_code"]) == "Connect a device"
    assert ada.page.problems == ["That code has expired. Request a new one."]


def test_a_code_that_was_used_is_called_so(site: Site, ada: Owner) -> None:
    films = Television(site)
    typed(ada, films.show()["user_code"])
    ada.press("Continue")
    assert typed(ada, films.shown["user_code"]) == "Connect a device"
    assert ada.page.problems == ["That code was already used. Enter a new one."]
    assert typed(ada, "BBBB-BBBB") == "Connect a device"
    assert ada.page.problems == ["Wrong code. Check it and try again."]


def test_the_code_of_the_address_is_not_read(site: Site, ada: Owner) -> None:
    films = Television(site)
    page = ada.open(films.show()["verification_uri_complete"].removeprefix(ISSUER))
    assert page.h1 == "Connect a device"
    assert page.field("Code from your device").get("value") == ""


def test_whoever_is_not_logged_in_logs_in_first(site: Site, ada: Owner) -> None:
    films, other = Television(site), ada.other_browser()
    assert other.open("/device").h1 == "Log in"
    assert other.press("Log in", username="ada", password=ada.password).h1 == "Connect a device"
    assert typed(other, films.show()["user_code"]) == "Log in to Films"


def test_an_app_that_needs_a_key_leads_to_its_enrollment(site: Site, ada: Owner) -> None:
    films = Television(site, proof=KEY)
    assert typed(ada, films.show()["user_code"]) == "Films needs a security key"
    assert films.poll()["error"] == "authorization_pending"


def test_an_old_proof_is_given_again(site: Site, ada: Owner) -> None:
    films = Television(site, max_age=60)
    site.clock.pass_(120)
    assert typed(ada, films.show()["user_code"]) == "Enter your password"
    assert ada.press("Verify", password=ada.password).h1 == "Log in to Films"


def test_who_may_not_use_the_app_is_told(site: Site, ada: Owner) -> None:
    site.services.operators.groups.create("staff")
    films = Television(site, groups=("staff",))
    assert typed(ada, films.show()["user_code"]) == "You can't use Films"


def test_an_app_asks_only_for_what_it_may(site: Site) -> None:
    films = Television(site, scopes=("openid",))
    assert films.show("openid phone")["error"] == "invalid_scope"
    assert films.show("")["error"] == "invalid_scope"
    wiki = RelyingParty(site)
    assert json_of(wiki.call("/oauth/device", scope="openid"))["error"] == "unauthorized_client"
    assert json_of(wiki.call("/oauth/token", grant_type=DEVICE_CODE, device_code="x"))["error"] == "unauthorized_client"


def test_a_device_of_an_app_that_proves_itself_by_its_key(site: Site, ada: Owner) -> None:
    films = KeyedApp(site, device_allowed=True)
    assert films.call("/oauth/device", proved=False, client_id=films.client_id, scope="openid").status == 401
    shown = json_of(films.call("/oauth/device", scope="openid"))
    typed(ada, shown["user_code"])
    ada.press("Continue")
    asked = {"grant_type": DEVICE_CODE, "device_code": shown["device_code"]}
    assert films.call("/oauth/token", proved=False, client_id=films.client_id, **asked).status == 401
    assert films.read(json_of(films.call("/oauth/token", **asked))["id_token"])["aud"] == films.client_id


def test_what_a_device_is_given_is_bound_to_its_key(site: Site, ada: Owner) -> None:
    """RFC 9449 section 5. A poll without the proof that is demanded does not use the code."""
    films = Television(site, dpop_demanded=True)
    typed(ada, films.show()["user_code"])
    ada.press("Continue")
    assert films.poll()["error"] == "invalid_dpop_proof"
    tokens = films.poll(dpop=proof(site, "POST", "/oauth/token", OWN))
    assert tokens["token_type"] == "DPoP"
    other = proof(site, "POST", "/oauth/token", OTHER, header={"alg": "RS256"})
    assert json_of(films.refresh(tokens["refresh_token"], dpop=other))["error"] == "invalid_grant"
    assert json_of(films.refresh(tokens["refresh_token"]))["error"] == "invalid_dpop_proof"
    assert films.refresh(tokens["refresh_token"], dpop=proof(site, "POST", "/oauth/token", OWN)).status == 200


def test_the_app_of_a_device_takes_part_in_the_session(site: Site, ada: Owner) -> None:
    """So it is told of the log-out."""
    typed(ada, Television(site).show()["user_code"])
    ada.press("Continue")
    assert count(site, "SELECT count(*) FROM session_apps") == 1


def test_a_device_that_waits_is_not_noted_as_refused(site: Site) -> None:
    films = Television(site)
    films.show()
    assert "error_id" not in films.poll()
    assert films.poll()["error_id"], "it asked too early"
    assert count(site, "SELECT count(*) FROM refused_requests WHERE rule = 'device-slow'") == 1
