"""`flask why` explains each refusal of an app by the error id that was shown."""

from __future__ import annotations

import re
import time

import pytest
from sqlalchemy import func, insert, select, text

from tests.apps import basic
from tests.attacks.test_faults import locked, sqlite_only
from tests.conftest import Site
from tests.guarded_host import GuardedHost
from tests.people import Owner, Page, Person
from tests.relying_party import BACK, RelyingParty, answer_of
from webapp.domain.app_rules import RULES
from webapp.domain.origin import Origin
from webapp.models import database
from webapp.models.refusals import RefusedRequest
from webapp.models.sessions import Attempt

SECRETS = ("a-code-that-is-secret", "a-verifier-that-is-secret", "a secret of the app", "ada@example.org", "a state")


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    return RelyingParty(site)


def why(site: Site, number: str) -> str:
    ran = site.app.test_cli_runner().invoke(args=["why", number])
    assert ran.exit_code == 0, ran.output
    assert not [secret for secret in SECRETS if secret in ran.output]
    return str(ran.output)


def number_on(page: Page) -> str:
    found = re.search(r"Error ID: ([0-9a-f]{16})", page.text)
    assert found, page.text
    return found[1]


def number_in(page: Page) -> str:
    number = page.response.get_json()["error_id"]
    assert re.fullmatch("[0-9a-f]{16}", number)
    return str(number)


def kept(site: Site) -> int:
    with site.services.db.read() as tx:
        return tx.scalar(select(func.count()).select_from(RefusedRequest)) or 0


def test_it_prints_what_was_asked_which_rule_refused_it_and_what_would_be_right(
    site: Site, ada: Owner, wiki: RelyingParty
) -> None:
    page = wiki.send(ada, redirect_uri="https://user:a secret of the app@evil.example/\x1b[31m", state="a state")
    number = number_on(page)
    assert why(site, f" {number.upper()} ") == (
        f"Error ID:  {number}\n"
        "When:      2027-01-15 08:00:00 UTC\n"
        "Address:   /oauth/authorize\n"
        f"App:       Wiki ({wiki.client_id})\n"
        "Asked:\n"
        "  response_type=code\n"
        f"  client_id={wiki.client_id}\n"
        "  redirect_uri=https://evil.example/\ufffd[31m\n"
        "  scope=openid\n"
        "  state=(not kept)\n"
        "  nonce=(not kept)\n"
        "  code_challenge=(not kept)\n"
        "  code_challenge_method=S256\n"
        "Rule:      redirect_uri is, letter by letter, one of the app's redirect addresses."
        " (redirect_uri; RFC 9700 section 2.1)\n"
        "Right:     Add the address that was asked for to the app's redirect addresses, or correct it in the app.\n"
        f"Registered now: {BACK}\n"
    )


def test_an_unknown_number_ends_with_a_sentence(site: Site) -> None:
    for number in ("0123456789abcdef", "", "' OR 1=1", "x" * 1000, "\u0661"):
        ran = site.app.test_cli_runner().invoke(args=["why", number])
        assert ran.exit_code == 1
        assert "No refusal with this error ID is kept. They are kept for 7 days" in ran.output


def test_every_machine_address_carries_the_number(site: Site, wiki: RelyingParty) -> None:
    code = {"code": "a-code-that-is-secret", "redirect_uri": BACK, "code_verifier": "a-verifier-that-is-secret"}
    token = {"token": "a-code-that-is-secret"}
    told = {
        "content_type": wiki.server.send("POST", "/oauth/token", json={"a": "a state"}, follow=False),
        "grant_type is": wiki.call("/oauth/token", grant_type=""),
        "grant_type is one": wiki.call("/oauth/token", grant_type="password"),
        "The code was given to this app": wiki.call("/oauth/token", grant_type="authorization_code", **code),
        "refresh_token": wiki.call("/oauth/token", grant_type="refresh_token"),
        "names an app that is registered": wiki.call("/oauth/revoke", proved=False, client_id="unknown", **token),
        "all parameters": wiki.call("/oauth/introspect", token_type_hint=""),
        "sent twice": wiki.server.send("POST", "/oauth/introspect", data={"token": ["a", "b"]}, follow=False),
        "has an access token": userinfo(wiki, "Basic a-code-that-is-secret"),
        "younger than": userinfo(wiki, "Bearer a-code-that-is-secret"),
        "younger": userinfo(wiki, None),
    }
    for words, page in told.items():
        assert words in why(site, number_in(page)), words
    assert f"App:       Wiki ({wiki.client_id})" in why(site, number_in(told["The code was given to this app"]))
    assert "none has the client ID unknown" in why(site, number_in(told["names an app that is registered"]))
    assert "authorization=bearer" in why(site, number_in(told["younger than"]))
    assert userinfo(wiki, "a-code-that-is-secret").status == 401, "a header that is nothing but the token"
    assert why(site, number_in(userinfo(wiki, "a-code-that-is-secret")))


def userinfo(wiki: RelyingParty, authorization: str | None) -> Page:
    headers = {} if authorization is None else {"Authorization": authorization}
    return wiki.server.send("GET", "/oauth/userinfo", headers=headers, follow=False)


def test_every_page_carries_the_number(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    gone = ada.open("/oauth/consent?id=a-code-that-is-secret")
    assert "within an hour" in why(site, number_on(gone))
    log_out = ada.open("/oauth/log-out?id_token_hint=a-code-that-is-secret")
    assert "ID token of this site" in why(site, number_on(log_out))
    elsewhere = ada.open(f"/oauth/log-out?client_id={wiki.client_id}&post_logout_redirect_uri=https://evil.example/")
    assert "Registered now: nothing" in why(site, number_on(elsewhere))
    hint = wiki.tokens(ada)["id_token"]
    hinted = ada.open(f"/oauth/log-out?id_token_hint={hint}&post_logout_redirect_uri=https://evil.example/")
    assert f"App:       Wiki ({wiki.client_id})" in why(site, number_on(hinted))
    unknown = ada.open("/oauth/log-out?post_logout_redirect_uri=https://evil.example/")
    assert "App:       not known" in why(site, number_on(unknown))
    posted = wiki.server.send("POST", "/oauth/authorize", data={"client_id": "none"}, follow=False)
    assert "none has the client ID none" in why(site, number_on(posted))
    with site.services.db.write() as tx:
        tx.execute(text("UPDATE accounts SET email = NULL"))
    forbidden = wiki.send(ada)
    assert forbidden.h1 == "You can't use Wiki"
    assert "groups add" in why(site, number_on(forbidden))


def test_an_error_that_goes_to_the_app_carries_the_number(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    wiki.send(ada, scope="unknown")
    answer = answer_of(ada)
    told = why(site, answer["error_id"])
    assert "scope=unknown" in told
    assert f"Answer:    error: {answer['error']}; error_description: {answer['error_description']}\n" in told
    wiki.send(ada, prompt="none")
    assert "Nothing is wrong" in why(site, answer_of(ada)["error_id"])
    wiki.send(ada)
    ada.press("Cancel")
    canceled = why(site, answer_of(ada)["error_id"])
    assert "the person pressed Cancel" in canceled
    assert "response_type=code" in canceled


def test_too_many_requests_carry_the_number(site: Site, wiki: RelyingParty) -> None:
    stranger = Person(site.app, address="198.51.100.9")
    limit = site.services.settings.policy.authorize_requests.most
    row = {"bucket": "authorize-from:198.51.100.9", "at": site.services.clock.now()}
    with site.services.db.write() as tx:
        tx.execute(insert(Attempt), [row] * limit)
    page = wiki.send(stranger)
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0
    assert "faster than the limits" in why(site, number_on(page)).replace("no faster", "faster")


# -- What strangers can do --------------------------------------------------------------------------


def test_a_flood_of_refusals_fills_no_table(site: Site) -> None:
    note, origin = site.services.operators.refusals.note, Origin("198.51.100.7")
    numbers = [note("client_id", endpoint="/oauth/authorize", origin=origin) for _ in range(65)]
    assert len(set(numbers)) == 65, "each is answered"
    assert kept(site) == 60
    for network in range(10):
        for _ in range(60):
            note("client_id", endpoint="/oauth/authorize", origin=Origin(f"203.0.{network}.7"))
    assert kept(site) == 300
    site.clock.pass_(3601)
    note("client_id", endpoint="/oauth/authorize", origin=origin)
    assert kept(site) == 301


def test_what_a_stranger_sends_is_cut_and_only_known_names_keep_their_values(site: Site) -> None:
    asked = [("a" * 41, "x"), ("scope", "s" * 5000), ("password", "secret"), *(("scope", "more") for _ in range(50))]
    number = site.services.operators.refusals.note(
        "scope",
        endpoint="/" + "e" * 500,
        origin=Origin("198.51.100.7"),
        client_id="c" * 41,
        asked=asked,
        fact="\0\ud800",
    )
    refused = site.services.operators.refusals.explain(number).refused
    assert refused.client_id is None
    assert refused.asked[:3] == [["(another name)", "(not kept)"], ["scope", "s" * 300], ["password", "(not kept)"]]
    assert len(refused.asked) == 30
    assert len(refused.endpoint) == 80
    assert refused.facts == {"fact": "\ufffd\ufffd"}


def test_names_and_values_may_be_a_mapping_and_a_rule_may_be_new(site: Site) -> None:
    origin = Origin("198.51.100.7")
    number = site.services.operators.refusals.note(
        "new", endpoint="/x", origin=origin, asked={"scope": ""}, seconds=3, none=None
    )
    told = why(site, number)
    assert "Asked:\n  nothing\n" in told
    assert "App:       not known" in told
    assert "Answer:    seconds: 3\n" in told
    assert "(new; RFC 6749 section 5.2)" in told


def test_a_database_that_cannot_write_costs_no_refusal(site: Site, wiki: RelyingParty) -> None:
    """The answer keeps its number; only the row is missing."""
    with site.services.db.write() as tx:
        tx.execute(text("DROP TABLE refused_requests"))
    page = wiki.call("/oauth/token", grant_type="password")
    assert page.status == 400
    assert number_in(page)


def test_no_row_is_written_about_a_database_that_does_not_answer(site: Site) -> None:
    assert not RULES["unavailable"].is_stored
    site.services.operators.refusals.note("unavailable", endpoint="/oauth/token", origin=Origin("198.51.100.7"))
    assert kept(site) == 0


def test_they_are_deleted_after_seven_days(site: Site) -> None:
    number = site.services.operators.refusals.note("scope", endpoint="/x", origin=Origin("198.51.100.7"))
    site.clock.pass_(7 * 86400)
    site.services.maintenance.purge()
    assert why(site, number)
    site.clock.pass_(1)
    site.services.maintenance.purge()
    assert kept(site) == 0


@sqlite_only
def test_a_locked_database_is_waited_for_once_and_the_answer_has_a_number(
    site: Site, ada: Owner, wiki: RelyingParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 500)
    site.services.db.engine.dispose()
    with locked(site):
        begun = time.monotonic()
        page = wiki.call("/oauth/token", grant_type="password")
        assert (page.status, page.response.get_json()["error"]) == (503, "temporarily_unavailable")
        assert number_in(page)
        page = wiki.send(ada)
        assert page.status == 503
        assert number_on(page)
        assert time.monotonic() - begun < 8
    assert kept(site) == 0


# -- Guarded hosts -----------------------------------------------------------------------------------------

HEADER = "Nightlatch-Error-Id"


@pytest.mark.parametrize("proxy", ["nginx", "caddy", "traefik", "envoy"])
def test_a_path_that_a_rule_denies(site: Site, ada: Owner, proxy: str) -> None:
    host = GuardedHost(site, rules=("deny GET /closed", "public /"))
    page = host.check(ada, "/closed/a?token=a-code-that-is-secret", proxy)
    assert (page.status, page.response.headers[HEADER]) == (403, number_on(page))
    said = why(site, number_on(page))
    assert host.secret not in said
    for line in (
        f"Address:   /forward/{proxy}\n",
        f"App:       Wiki ({host.app.client_id})\n",
        "Answer:    denied_by: deny GET /closed\n",
        f"Asked:\n  host={host.host}\n  method=GET\n  path=/closed/a\n  proxy={proxy}\n",
        "(host-rule; ",
    ):
        assert line in said
    shown = ada.open(f"{host.url}/.nightlatch/forbidden?id={number_on(page)}")
    assert number_on(shown) == number_on(page), "nginx leads here in place of the answer"


@pytest.mark.parametrize("number", ["", "?id=", "?id=<b>", "?id=0123456789ABCDEF", "?id=0123456789abcdef0"])
def test_the_page_of_a_host_shows_no_number_that_is_none(site: Site, ada: Owner, number: str) -> None:
    page = ada.open(f"{GuardedHost(site).url}/.nightlatch/forbidden{number}")
    assert page.status == 403
    assert "Error ID" not in page.text
    assert "<b>" not in page.text


def test_who_may_not_use_the_app_of_a_host(site: Site, ada: Owner) -> None:
    services = site.services.operators
    services.groups.create("staff")
    services.groups.add("staff", ada.username)
    host = GuardedHost(site, groups=("staff",))
    host.enter(ada)
    services.groups.remove("staff", ada.username)
    at_host = host.check(ada)
    assert at_host.status == 403
    assert "(access; " in why(site, number_on(at_host))


def test_a_log_in_to_a_host_that_has_expired(site: Site, ada: Owner) -> None:
    host = GuardedHost(site)
    for address in (f"{host.url}/.nightlatch/start?id=x", f"{host.url}/.nightlatch/back?code=x", "/hosts/log-in?id=x"):
        page = ada.open(address)
        assert page.status == 400
        assert "(host-login; " in why(site, number_on(page))


def test_credentials_at_a_host(site: Site, ada: Owner) -> None:
    host = GuardedHost(site, authorization_allowed=True)
    headers = {"Authorization": basic(ada.username, "a secret of the app"), "Accept": "*/*"}
    person = Person(site.app)
    refused = host.check(person, headers=headers)
    assert refused.status == 401
    said = why(site, refused.response.headers[HEADER])
    assert "(host-credentials; " in said
    for _ in range(12):
        refused = host.check(person, headers=headers)
    assert refused.status == 429
    assert "(host-limit; " in why(site, number_on(refused))
    assert number_on(refused) == refused.response.headers[HEADER]
    refused = host.check(person, headers={**headers, "Sec-Fetch-Mode": "cors"})
    assert (refused.status, refused.text) == (429, "")
    assert "(host-limit; " in why(site, refused.response.headers[HEADER])
