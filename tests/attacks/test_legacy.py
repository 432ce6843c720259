"""Legacy access: what it must not open, what it must not reveal, and how it is attacked."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import update

from tests.apps import App, basic, live_apps
from tests.attacks.races import Racers
from tests.attacks.tools import cookies_of, count, enrolled, is_in, stale, stored, thief_of
from tests.conftest import POSTGRES, Site
from tests.doubles import CheapHasher
from tests.guarded_host import GuardedHost
from tests.people import ANDROID, PHONE, TWO_FACTOR, Owner, Page, Person
from webapp.models.accounts import Account

PAGE = f"{TWO_FACTOR}/temporary-password"
SESSIONS = "/settings/security/sessions"
METHOD = f"{TWO_FACTOR}/authentication-app"
NEW = "a much longer new password"
SOON = 5  # seconds within which a revocation takes effect


def made(owner: Owner) -> str:
    page = owner.post(PAGE)
    found = page.soup.find(attrs={"data-copy": True})
    assert found is not None, page.text
    return str(found["data-copy"])


@pytest.fixture
def password(ada: Owner) -> str:
    return made(ada)


@pytest.fixture
def plain(site: Site) -> Owner:
    """A user with a confirmed e-mail address and no second factor."""
    return Owner.signed_up(site, "bob")


@pytest.fixture
def tess(site: Site) -> Owner:
    """A user with a phone number and text messages as second factor."""
    tess = Owner.signed_up(site, "tess")
    tess.turn_on_texts()
    site.clock.pass_(61)
    return tess


# -- What opens legacy access ----------------------------------------------------------------------


def test_a_temporary_password_opens_no_page(site: Site, ada: Owner, password: str) -> None:
    other = ada.other_browser()
    for typed in (password, password.replace("-", ""), password.lower()):
        page = other.log_in(typed)
        assert page.status == 422
        assert "Temporary passwords only work in apps" in page.problems[0]
    other.log_in()
    for path in ("/log-in/verify", "/log-in/backup-code"):
        assert other.post(path, code=password).status == 422
    assert not is_in(other)
    stale(ada).open("/settings/account/password")
    assert ada.press("Verify", password=password).status == 422
    assert App(site).verify("ada", password).status == 200, "and goes on to work where it belongs"


@pytest.mark.parametrize(("seconds", "status"), [(3599, 200), (3601, 401)])
def test_a_temporary_password_is_refused_after_its_hour(
    site: Site, ada: Owner, password: str, seconds: int, status: int
) -> None:
    site.clock.pass_(seconds)
    assert App(site).verify("ada", password).status == status
    assert (App(site).exchange("ada", password).status == 200) is (status == 200)


def test_an_app_that_asks_continuously_is_refused_after_the_hour(site: Site, ada: Owner, password: str) -> None:
    app = App(site)
    site.clock.pass_(3597)
    answers = []
    for _ in range(5):
        answers.append(app.verify("ada", password).status)
        site.clock.pass_(1)
    assert answers == [200, 200, 200, 401, 401]


def test_a_temporary_password_is_refused_after_its_replacement(site: Site, ada: Owner, password: str) -> None:
    app, newer = App(site), made(ada)
    assert app.verify("ada", password).status == 401
    assert app.exchange("ada", password).status == 400
    assert app.verify("ada", newer).status == 200


def test_the_usual_password_is_refused_when_a_factor_is_on(site: Site, ada: Owner) -> None:
    app = App(site)
    for name in ("ada", "ADA", ada.email):
        assert app.verify(name, ada.password).status == 401
        assert app.exchange(name, ada.password).status == 400
    assert count(site, "SELECT count(*) FROM app_sessions") == 0


@pytest.mark.parametrize("way", ["verify", "exchange"])
def test_a_first_factor_that_is_turned_on_while_the_password_is_compared_is_not_skipped(
    site: Site, plain: Owner, hasher: Any, way: str
) -> None:
    plain.open(TWO_FACTOR)
    plain.press("Authentication app")
    plain.secret = plain.press("Start").setup_key
    plain.press("Next")
    hasher.meanwhile = lambda: plain.press("Verify", code=plain.code())
    assert getattr(App(site), way)("bob", plain.password).status in (400, 401)
    assert plain.page.h1 == "You're all set"
    assert count(site, "SELECT count(*) FROM app_sessions") == 0


@pytest.mark.parametrize("way", ["verify", "exchange"])
def test_a_password_that_is_changed_while_it_is_compared_opens_nothing(
    site: Site, plain: Owner, hasher: Any, way: str
) -> None:
    plain.open("/settings/account/password")
    hasher.meanwhile = lambda: plain.press("Save", password=NEW)
    assert getattr(App(site), way)("bob", plain.password).status in (400, 401)
    assert "Password changed" in plain.page.receipts[0]
    assert App(site).verify("bob", NEW).status == 200


def test_a_temporary_password_of_another_account_opens_nothing(
    site: Site, ada: Owner, mallory: Owner, password: str
) -> None:
    mallory.log_in_whole()
    theirs, app = made(mallory), App(site)
    assert app.verify("ada", theirs).status == 401
    assert app.verify("mallory", password).status == 401
    assert app.exchange("ada", theirs).status == 400
    assert app.verify("mallory", theirs).status == 200


def test_a_backup_code_or_an_app_code_opens_nothing(site: Site, ada: Owner) -> None:
    app = App(site)
    for typed in (ada.kept_code, ada.code(), " "):
        assert app.verify("ada", typed).status == 401
        assert app.exchange("ada", typed).status == 400
    other = ada.log_in_elsewhere()
    assert other.post("/log-in/backup-code", code=ada.kept_code).h1 == "Save your new backup code", "it is not used up"


def test_session_cookies_open_nothing_and_legacy_access_sets_no_cookie(site: Site, ada: Owner, password: str) -> None:
    for path in ("/legacy/verify", "/legacy/token"):
        page = ada.send("GET" if path.endswith("verify") else "POST", path, follow=False)
        assert page.status in (400, 401)
        assert "Set-Cookie" not in page.response.headers
    page = App(site).verify("ada", password)
    assert page.status == 200
    assert "Set-Cookie" not in page.response.headers
    assert page.response.headers["Cache-Control"] == "no-store"


def test_a_token_opens_legacy_access_and_nothing_else(site: Site, ada: Owner, password: str) -> None:
    token = App(site).token("ada", password)
    assert App(site).with_token(token).status == 200
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/", "/settings", PAGE):
        assert ada.other_browser().open(path, headers=headers).path == "/log-in"
    eve = ada.other_browser()
    for name in ("session", "login", "remembered"):
        eve.client.set_cookie(name, token, domain="nightlatch.localhost")
    assert not is_in(eve)
    assert App(site).with_token(cookies_of(ada)["session"].partition(".")[0]).status == 401, "nor the other way round"
    assert App(site).verify("ada", token).status == 401


def test_the_mobile_host_has_no_legacy_access(site: Site, ada: Owner, password: str) -> None:
    phone = Person(site.app, ANDROID)
    headers = {"Authorization": basic("ada", password)}
    assert phone.send("GET", "/legacy/verify", headers=headers, follow=False).status == 404
    assert phone.send("POST", "/legacy/token", data={"grant_type": "password"}, follow=False).status in (400, 404)
    page = App(site, agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Mobile Safari").verify("ada", password)
    assert page.status == 200, "an app on a phone is not sent to the mobile host"


# -- Exchanging it for a token ---------------------------------------------------------------------


def test_a_temporary_password_is_exchanged_once_and_then_refused(site: Site, ada: Owner, password: str) -> None:
    app = App(site)
    token = app.token("ada", password)
    site.clock.pass_(SOON)
    assert app.exchange("ada", password).status == 400
    assert app.verify("ada", password).status == 401
    assert app.with_token(token).status == 200


@pytest.mark.xdist_group("races")
def test_one_temporary_password_exchanged_twenty_times_at_once_makes_one_token(
    site: Site, environ: dict[str, str], ada: Owner, password: str, racers: Racers
) -> None:
    data = {"grant_type": "password", "username": "ada", "password": password}
    request = {"path": "/legacy/token", "cookies": {}, "data": data, "address": "198.51.100.1"}
    requests = [{**request, "address": f"198.51.100.{number}"} for number in range(20)]
    answers = racers.race(site, environ, requests)
    statuses = sorted(answer["status"] for answer in answers)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 429}
    assert count(site, "SELECT count(*) FROM app_sessions") == 1


@pytest.mark.parametrize(
    ("path", "most"),
    [("idle", 7 * 86400), ("in all", 30 * 86400)],
)
def test_an_app_session_expires(site: Site, plain: Owner, path: str, most: int) -> None:
    app = App(site)
    page = app.exchange("bob", plain.password)
    answer = page.response.get_json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 30 * 86400)
    steps = 1 if path == "idle" else 6
    for _ in range(steps - 1):
        site.clock.pass_(most // steps)
        assert app.with_token(answer["access_token"]).status == 200
    site.clock.pass_(most // steps - 1)
    assert app.with_token(answer["access_token"]).status == 200
    site.clock.pass_(1 if path == "in all" else most)
    site.clock.pass_(SOON)
    assert app.with_token(answer["access_token"]).status == 401
    assert live_apps(site, "bob") == []


# -- Ending ----------------------------------------------------------------------------------------


def change_password(ada: Owner) -> None:
    ada.post("/settings/account/password", password=NEW)


def reset_password(ada: Owner) -> None:
    reader = Person(ada.app)
    reader.open("/forgot-password")
    reader.press("Send link", email=ada.email)
    reader.open(ada.site.emailed_path(ada.email, "/reset-password/"))
    assert reader.press("Save password", password=NEW).path == "/log-in"


def turn_factor_off(ada: Owner) -> None:
    ada.post(f"{METHOD}/turn-off")


def use_backup_code(ada: Owner) -> None:
    other = ada.log_in_elsewhere()
    assert other.post("/log-in/backup-code", code=ada.kept_code).status == 200


def say_not_you(ada: Owner) -> None:
    reader = Person(ada.app)
    reader.open(ada.site.emailed_path(ada.email, "/not-you/"))
    reader.press(next(b for b in reader.page.buttons if b not in ("OK", "Change language")))


def be_logged_out(ada: Owner) -> None:
    ada.site.services.accounts.log_out("ada")


@pytest.mark.parametrize(
    "action", [change_password, reset_password, turn_factor_off, use_backup_code, say_not_you, be_logged_out]
)
def test_what_ends_every_other_session_ends_app_sessions_and_temporary_passwords(
    site: Site, ada: Owner, password: str, action: Callable[[Owner], None]
) -> None:
    app = App(site)
    token, second = app.token("ada", password), made(ada)
    assert app.with_token(token).status == app.verify("ada", second).status == 200
    action(ada)
    site.clock.pass_(SOON)
    assert app.with_token(token).status == 401
    assert app.verify("ada", second).status == 401
    assert app.exchange("ada", second).status == 400


def test_a_first_factor_ends_what_the_usual_password_opened(site: Site, plain: Owner) -> None:
    app = App(site)
    token = app.token("bob", plain.password)
    assert app.verify("bob", plain.password).status == 200
    plain.turn_on_app()
    site.clock.pass_(SOON)
    assert app.with_token(token).status == 401
    assert app.verify("bob", plain.password).status == 401


def test_a_revocation_takes_effect_within_five_seconds_however_often_the_app_asks(
    site: Site, ada: Owner, password: str
) -> None:
    app = App(site)
    assert app.verify("ada", password).status == 200
    number = ada.open(PAGE).soup.find("input", attrs={"name": "end"})["value"]
    ada.post(PAGE, end=number)
    answers = []
    for _ in range(SOON):
        answers.append(app.verify("ada", password).status)
        site.clock.pass_(1)
    assert app.verify("ada", password).status == 401
    assert answers == sorted(answers), "once refused, it stays refused"


def test_logging_out_all_others_ends_an_app_that_sends_its_password_repeatedly(
    site: Site, ada: Owner, password: str
) -> None:
    app = App(site)
    token, second = app.token("ada", password), made(ada)
    ada.open(SESSIONS)
    ada.press("Log out all others")
    site.clock.pass_(SOON)
    assert app.with_token(token).status == app.verify("ada", second).status == 401


def test_a_revoked_app_is_refused_within_five_seconds(site: Site, ada: Owner, password: str) -> None:
    app = App(site)
    token = app.token("ada", password)
    assert app.with_token(token).status == 200
    (listed,) = live_apps(site, "ada")
    assert (listed.device, listed.address) == ("Thunderbird/115.4", "198.51.100.7")
    assert ada.post(SESSIONS, end=f"app:{listed.id}").status == 200
    assert live_apps(site, "ada") == []
    site.clock.pass_(SOON)
    assert app.with_token(token).status == 401


def test_an_app_or_temporary_password_of_another_account_is_not_found(
    site: Site, ada: Owner, mallory: Owner, password: str
) -> None:
    app = App(site)
    token = app.token("ada", password)
    live = made(ada)
    number = str(ada.open(PAGE).soup.find("input", attrs={"name": "end"})["value"])
    mallory.log_in_whole()
    pages = [mallory.post(PAGE, follow=False, end=typed) for typed in (number, "999", "x", "", "-1", "²", "9" * 400)]
    assert {(page.status, page.h1) for page in pages} == {(404, "Page not found")}
    assert mallory.post(SESSIONS, follow=False, end="app:1").status == 404
    assert app.with_token(token).status == app.verify("ada", live).status == 200


def test_no_temporary_password_is_made_in_a_pending_login_in_a_stale_session_or_without_a_factor(
    site: Site, ada: Owner, stranger: Owner, plain: Owner
) -> None:
    assert stranger.post(PAGE).path == "/log-in"
    assert plain.post(PAGE).says("You need a temporary password only while a method is on")
    thief = thief_of(stale(ada))
    assert thief.post(PAGE).h1 == "Enter your password"
    assert count(site, "SELECT count(*) FROM temporary_passwords") == 0


# -- Enumeration -----------------------------------------------------------------------------------


def said(page: Page) -> tuple[int, str, str]:
    headers = {k: v for k, v in page.response.headers.items() if k != "Date"}
    return page.status, page.text, str(sorted(headers.items()))


def work(site: Site, hasher: CheapHasher, action: Callable[[], Page]) -> tuple[Any, ...]:
    """What an attacker can compare: the answer and what it cost."""
    hashes = len(hasher.verified)
    site.statements.clear()
    page = action()
    verbs = [" ".join(s.split()[:3]) for s in site.statements]
    return said(page), len(hasher.verified) - hashes, tuple(verbs)


@pytest.mark.parametrize("way", ["verify", "exchange"])
def test_every_refusal_is_the_same_answer_and_costs_the_same(
    site: Site, ada: Owner, tess: Owner, plain: Owner, hasher: CheapHasher, way: str
) -> None:
    cases = {
        "nobody": ("nobody", "a wrong password"),
        "nobody's address": ("nobody@example.org", "a wrong password"),
        "no factor": ("bob", "a wrong password"),
        "a factor": ("ada", "a wrong password"),
        "the usual password with a factor": ("ada", ada.password),
        "and with a phone, to which a text goes": ("tess", tess.password),
        "too long": ("ada", "x" * 2000),
    }
    answers = {}
    for number, (case, (name, typed)) in enumerate(cases.items()):
        app = App(site, address=f"198.51.{number}.1")
        answers[case] = work(site, hasher, lambda app=app, name=name, typed=typed: getattr(app, way)(name, typed))
    assert len(set(answers.values())) == 1, answers
    assert answers["nobody"][1] == 1, "one hash each"


def test_a_password_in_the_form_of_a_temporary_one_gets_the_same_answer(
    site: Site, ada: Owner, plain: Owner, password: str, hasher: CheapHasher
) -> None:
    site.clock.pass_(3600)
    names, answers = ("nobody", "bob", "ada"), set()
    for number, name in enumerate(names):
        for typed in (password, "AAAA-AAAA-AAAA-AAAA"):
            app = App(site, address=f"198.51.{number}.1")
            answers.add(work(site, hasher, lambda app=app, name=name, typed=typed: app.verify(name, typed)))
    assert len(answers) == 1


def test_the_answer_does_not_wait_for_the_text_message_that_follows(site: Site, tess: Owner) -> None:
    before = count(site, "SELECT count(*) FROM messages")
    assert App(site).verify("tess", tess.password).status == 401
    assert count(site, "SELECT count(*) FROM messages") == before
    assert count(site, "SELECT count(*) FROM temporary_passwords") == 0
    assert "temporary password" in site.texts(PHONE)[0].text
    assert count(site, "SELECT count(*) FROM refused_accesses") == 0, (
        "a refused access is forgotten when the worker has looked"
    )


# -- Guessing --------------------------------------------------------------------------------------


def test_guesses_at_legacy_access_and_on_the_page_share_ten_attempts(site: Site, ada: Owner, password: str) -> None:
    for attempt in range(5):
        assert App(site, address=f"198.51.100.{attempt}").verify("ada", "a wrong password").status == 401
    for attempt in range(5):
        stranger = ada.other_browser(address=f"198.51.100.{attempt}")
        assert stranger.log_in("a wrong password").status == 422
    for page in (App(site).verify("ada", ada.password), App(site).exchange("ada", ada.password)):
        assert page.status == 429
        assert int(page.response.headers["Retry-After"]) <= 30
    assert App(site).exchange("ada", ada.password).response.get_json()["error"] == "temporarily_unavailable"
    assert ada.other_browser(address="198.51.100.99").log_in().status == 429
    assert ada.other_browser(address="198.51.102.1").log_in().h1 == "Enter your code", "from another network"
    assert App(site).verify("ada", password).status == 200, "no stranger keeps out an app that has what none can guess"


def test_a_network_has_thirty_attempts_at_all_accounts_together(site: Site, ada: Owner, password: str) -> None:
    app = App(site)
    statuses = [app.verify(f"nobody{number}", "a wrong password").status for number in range(31)]
    assert statuses == [401] * 30 + [429]
    assert app.verify("ada", ada.password).status == 429
    assert App(site, address="203.0.113.5").verify("ada", ada.password).status == 401
    assert app.verify("ada", password).status == 200


def test_concurrent_right_passwords_each_take_back_their_own_attempt(site: Site, plain: Owner) -> None:
    app = App(site, address="198.51.100.9")
    for number in range(29):
        assert app.verify(f"nobody{number}", "a wrong password").status == 401
    assert app.exchange("bob", plain.password).status == 200
    assert app.verify("nobody29", "a wrong password").status == 401
    assert app.verify("nobody30", "a wrong password").status == 429, "no guess at others was taken back"


def test_right_credentials_cost_no_attempts_and_clear_none(site: Site, ada: Owner, password: str) -> None:
    app = App(site)
    for _ in range(40):
        assert app.verify("ada", password).status == 200
        site.clock.pass_(SOON)
    for _ in range(9):
        assert app.verify("ada", "a wrong password").status == 401
    assert app.verify("ada", password).status == 200
    assert app.verify("ada", "a wrong password").status == 401
    assert app.verify("ada", "a wrong password").status == 429


def test_a_wrong_password_is_never_cached(site: Site, plain: Owner, hasher: CheapHasher) -> None:
    app, before = App(site), len(hasher.verified)
    assert [app.verify("bob", "a wrong password").status for _ in range(3)] == [401] * 3
    assert len(hasher.verified) == before + 3
    assert [app.verify("bob", plain.password).status for _ in range(3)] == [200] * 3
    assert len(hasher.verified) == before + 4, "a right one is, for a few seconds"
    assert app.verify("bob", plain.password + " ").status == 401
    assert app.verify("bo", f"b:{plain.password}").status == 401


def test_a_stolen_password_has_few_texts_sent_and_does_not_lock_the_owner_out(site: Site, tess: Owner) -> None:
    before = len(site.texts(PHONE))
    for attempt in range(24):
        for number in range(3):
            App(site, address=f"203.{attempt}.{number}.1").verify("tess", tess.password)
            site.services.delivery.deliver_due()
        site.clock.pass_(1200)
    assert len(site.texts(PHONE)) - before == 5, "as many as may be made in a day"
    tess.log_in()
    assert len(site.texts(PHONE)) - before == 6, "the codes of a log-in still go"
    tess.press("Verify", code=site.texted_code(PHONE))
    assert tess.page is not None
    assert tess.page.path == "/"


# -- Input -----------------------------------------------------------------------------------------


def encoded(raw: bytes) -> str:
    return f"Basic {b64encode(raw).decode()}"


MALFORMED = (
    None,
    "",
    "Basic",
    "Basic ",
    "Basic !!!!",
    "Basic YWRh",  # no colon
    "Basic YWRhOng",  # no padding
    "Basic YWRhOng=, Basic YWRhOng=",
    "Basic YWRhOg==",  # an empty password
    "Basic \u00e9",
    "basic \u00e9=x",
    "Bearer a=b",
    encoded(b"a\0da:x"),
    encoded(b"ada:x\0"),
    encoded(b"ada:" + b"x" * 10_000_000),
    encoded(b"a" * 9_000 + b":x"),
    "Bearer",
    "Bearer x",
    "Bearer " + "0" * 64,
    "Bearer " + "A" * 64,
    "Bearer " + "0" * 10_000_000,
    "Bearer \u00ff\u00fe",
    "Digest username=ada",
    "\u00e9" * 2000,
    "Negotiate YII=",
)


@pytest.mark.parametrize("authorization", MALFORMED, ids=lambda value: repr(value)[:40])
def test_a_malformed_authorization_header_is_refused_at_once(
    site: Site, ada: Owner, hasher: CheapHasher, authorization: str | None
) -> None:
    before, attempts = len(hasher.verified), count(site, "SELECT count(*) FROM attempts")
    began = time.thread_time()
    page = App(site).ask(authorization)
    assert page.status == 401
    assert time.thread_time() - began < 1
    assert page.response.headers["WWW-Authenticate"] == 'Basic realm="Nightlatch", charset="UTF-8"'
    assert page.response.headers["Content-Type"].startswith("text/plain")
    assert page.text == (
        "Log in with your username and a temporary password (or your usual password, if two-factor authentication"
        " is off).\n"
    )
    assert len(hasher.verified) == before
    assert count(site, "SELECT count(*) FROM attempts") == attempts


def test_a_password_that_is_not_utf_8_is_tried_as_latin_1_and_counted(site: Site) -> None:
    """RFC 7617 section 2 leaves the encoding to the app; older ones know Latin-1 only."""
    bob = Owner(site, "bob")
    bob.password = "müde analytische Notizen"
    bob.sign_up()
    app = App(site)
    for encoding in ("utf-8", "latin-1"):
        assert app.ask(encoded(f"bob:{bob.password}".encode(encoding))).status == 200
    assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'password%'") == 0
    assert app.ask(encoded(b"bob:\xff\xfe")).status == 401
    assert app.ask(encoded(b"bob:\xff\0")).status == 401
    assert app.ask(encoded(b"b\xfcb")).status == 401
    assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'password-total:%'") == 1


def test_the_scheme_of_a_header_is_case_insensitive(site: Site, ada: Owner, password: str) -> None:
    app = App(site)
    token = app.token("ada", password)
    header = basic("ada", made(ada)).partition(" ")[2]
    for scheme in ("basic", "BASIC"):
        assert app.ask(f"{scheme} {header}").status == 200
    for scheme in ("bearer", "BEARER"):
        assert app.ask(f"{scheme} {token}").status == 200


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PART = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
BAD_FORMS: tuple[tuple[str | bytes, dict[str, str]], ...] = (
    ("", FORM),
    ("grant_type=password", FORM),
    ("grant_type=password&username=ada", FORM),
    ("grant_type=password&username=&password=", FORM),
    ("grant_type=password&username=ada&username=bob&password=x", FORM),
    ("grant_type=password&username=ada&password=x&password=y", FORM),
    ("grant_type=password&grant_type=password&username=ada&password=x", FORM),
    ("grant_type=password&username[]=ada&password[]=x", FORM),
    ("grant_type=password&username=ada&password=x%00", FORM),
    ("grant_type=password&username=ada&password=%ff", FORM),
    ("grant_type=password&username=ada&password=%ed%a0%80", FORM),
    ("grant_type=password&username=ada&password=" + "x" * 10_000_000, FORM),
    ("&".join(f"a{number}=1" for number in range(5000)), FORM),
    ('{"grant_type": "password", "username": ["ada"], "password": {}}', {"Content-Type": "application/json"}),
    (b"\xff\xfe\x00", {"Content-Type": "application/octet-stream"}),
    (PART.format("grant_type", "password") + PART.format("username", "a\0") + PART.format("password", "x") + "--b--",
     {"Content-Type": "multipart/form-data; boundary=b"}),
    ('--b\r\nContent-Disposition: form-data; name="password"; filename="x"\r\n\r\nx\r\n--b--',
     {"Content-Type": "multipart/form-data; boundary=b"}),
    (b"--x\r\n\r\nnonsense", {"Content-Type": "multipart/form-data; boundary=x"}),
)  # fmt: skip


@pytest.mark.parametrize(("body", "headers"), BAD_FORMS, ids=lambda value: repr(value)[:50])
def test_an_unreadable_token_request_is_refused_at_once(
    site: Site, ada: Owner, hasher: CheapHasher, body: str | bytes, headers: dict[str, str]
) -> None:
    before, began = len(hasher.verified), time.thread_time()
    page = App(site).send("POST", "/legacy/token", data=body, headers=headers)
    assert page.status in (400, 413)
    assert page.response.get_json()["error"] == "invalid_request"
    assert time.thread_time() - began < 1
    assert len(hasher.verified) == before


def test_an_unsupported_token_request_gets_the_error_of_the_protocol(site: Site, ada: Owner, password: str) -> None:
    app = App(site)
    for grant in ("authorization_code", "refresh_token", "client_credentials", "Password", "x" * 5000):
        page = app.exchange("ada", password, grant_type=grant)
        assert (page.status, page.response.get_json()["error"]) == (400, "unsupported_grant_type")
    page = app.exchange("ada", "a wrong password")
    assert (page.status, page.response.get_json()["error"]) == (400, "invalid_grant")
    headers = page.response.headers
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")
    assert headers["Content-Type"] == "application/json"
    described = page.response.get_json()["error_description"]
    assert described == "Wrong username or password. Check both and try again."
    for method in ("GET", "PUT", "DELETE"):
        assert app.send(method, "/legacy/token").status in (400, 405)
    data = {"grant_type": "password", "username": "ada", "password": password, "client_id": "mail", "scope": "all"}
    page = app.send("POST", "/legacy/token", data=data, headers={"Authorization": basic("mail", "a client's own")})
    assert page.status == 200, "nobody needs a client_id, and what a client says of itself is not looked at"
    assert page.response.headers["Cache-Control"] == "no-store"


def test_a_flood_of_token_requests_is_told_when_to_retry(site: Site, ada: Owner) -> None:
    app, floods = App(site), site.app.extensions["floods"]
    assert app.send("POST", "/legacy/token", data={}).status == 400
    while floods.has_room("198.51.100.7"):
        floods.count("198.51.100.7")
    page = app.send("POST", "/legacy/token", data={})
    assert page.status == 429
    assert page.response.get_json()["error"] == "temporarily_unavailable"
    assert int(page.response.headers["Retry-After"]) > 0


def test_unusual_names_in_the_url_cause_no_server_error(site: Site) -> None:
    app = App(site)
    assert app.send("GET", "/legacy/verify?%00").status == 400
    assert app.send("GET", "/legacy/verify?%ff").text == "The request couldn't be processed.\n"
    assert app.send("GET", "/legacy/verify?a=1&a=2").status == 401
    assert app.send("GET", "/legacy/nothing").status == 404


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Ada\r\nRemote-User: root", "Ada Remote-User: root"),
        ("Ada\x00\x1b[31m\x7f\x85", "Ada[31m"),
        ("Zoë 李 😀", "Zoë 李 😀"),
        ("a\u2028b\u202ec\ufeffd", "a bcd"),
        ("\ud7ff\U0010ffff", None),
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("\r\n", None),
    ],
)
def test_a_username_cannot_add_a_header_and_is_sent_completely(
    site: Site, ada: Owner, password: str, name: str, sent: str | None
) -> None:
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(name=name if "\0" not in name or not POSTGRES else name.replace("\0", "")))
    headers = App(site).verify("ada", password).response.headers
    raw = headers.get("Remote-Name")
    assert (raw.encode("latin-1").decode() if raw is not None else None) == sent
    assert (headers["Remote-User"], headers["Remote-Email"]) == ("ada", "ada@example.org")


# -- Who has access --------------------------------------------------------------------------------


def test_an_account_without_a_confirmed_address_has_no_access(site: Site, hasher: CheapHasher) -> None:
    """Else anyone could sign up under any name and be let in (`Remote-User`) without an address that is theirs."""
    eve, plain = Owner(site, "eve"), Owner(site, "bob")
    eve.sign_up(confirm_email=False)
    plain.sign_up()
    for way in ("verify", "exchange"):
        answers = {
            case: work(site, hasher, lambda typed=typed, way=way: getattr(App(site), way)("eve", typed))
            for case, typed in {"right": eve.password, "wrong": "a wrong password"}.items()
        }
        assert answers["right"] == answers["wrong"]
        assert answers["right"][0][0] in (400, 401)
    assert count(site, "SELECT count(*) FROM app_sessions") == 0
    assert App(site).verify("bob", plain.password).status == 200


def test_a_token_from_before_that_rule_is_refused_for_an_account_without_a_confirmed_address(
    site: Site, plain: Owner
) -> None:
    token = App(site).token("bob", plain.password)
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(email=None, email_key=None, unconfirmed_email="bob@example.org"))
    assert App(site).with_token(token).status == 401


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "MKCALENDAR", "QUERY")


@pytest.mark.parametrize("method", METHODS)
def test_a_proxy_that_passes_on_the_method_gets_the_same_answer(site: Site, plain: Owner, method: str) -> None:
    """Envoy and HAProxy ask with the method of the request, and may pass on its headers without its body."""
    app = App(site)
    right, wrong = {"Authorization": basic("bob", plain.password)}, {"Authorization": basic("bob", "a wrong one")}
    page = app.send(method, "/legacy/verify", headers=right)
    assert (page.status, page.response.headers["Remote-User"]) == (200, "bob")
    page = app.send(method, "/legacy/verify", headers=wrong)
    assert page.status == 401
    assert "WWW-Authenticate" in page.response.headers
    assert app.send(method, "/legacy/verify").status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PROPFIND"])
def test_the_body_of_the_request_that_is_verified_is_not_read(site: Site, plain: Owner, method: str) -> None:
    class Unread(BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    for media_type in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/calendar"):
        page = App(site).send(
            method,
            "/legacy/verify",
            headers={"Authorization": basic("bob", plain.password), "Content-Length": "10000000"},
            input_stream=Unread(),
            content_type=media_type,
        )
        assert page.status == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_methods_that_are_no_request_for_a_resource_are_refused(site: Site, plain: Owner, method: str) -> None:
    page = App(site).send(method, "/legacy/verify", headers={"Authorization": basic("bob", plain.password)})
    assert page.status == 405
    assert page.response.mimetype == "text/plain"
    assert "GET" in page.response.headers["Allow"]


class TestSiteWithoutLegacyAccess:
    """The default: no app logs in with a password alone, and no page speaks of one that could."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in environ.items() if name != "NIGHTLATCH_LEGACY_ACCESS"}

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("path", ["/legacy/verify", "/legacy/token"])
    def test_there_is_nothing_at_its_addresses(self, site: Site, plain: Owner, method: str, path: str) -> None:
        page = App(site).send(method, path, headers={"Authorization": basic("bob", plain.password)})
        assert page.status == 404
        assert "WWW-Authenticate" not in page.response.headers
        data = {"grant_type": "password", "username": "bob", "password": plain.password}
        assert App(site).send("POST", path, data=data).status == 404

    def test_no_page_offers_a_temporary_password(self, site: Site, ada: Owner) -> None:
        assert "Temporary password" not in ada.open(TWO_FACTOR).links
        for page in (ada.open(PAGE), ada.post(PAGE)):
            assert page.says("No apps log in to this site with a password alone.")
            assert "Generate temporary password" not in page.buttons
        assert count(site, "SELECT count(*) FROM temporary_passwords") == 0
        page = ada.open("/help/two-factor-authentication")
        assert page.says("No apps log in to this site with a password alone.")
        assert not page.says("emporary password")

    def test_a_guarded_host_that_takes_one_makes_the_pages_offer_it(self, site: Site, ada: Owner) -> None:
        GuardedHost(site, "old.localhost", max_age=600, authorization_allowed=True)  # credentials do not tell an age
        assert "Temporary password" not in ada.open(TWO_FACTOR).links
        wiki = GuardedHost(site, authorization_allowed=True)
        assert "Temporary password" in ada.open(TWO_FACTOR).links
        assert ada.open("/help/two-factor-authentication").says("Open temporary passwords")
        headers = {"Authorization": basic("ada", made(ada))}
        page = wiki.check(ada.other_browser(), headers=headers)
        assert (page.status, page.response.headers["Remote-User"]) == (200, "ada")


# -- Secrets in the database and the log -----------------------------------------------------------


def test_a_dump_has_no_temporary_password_and_no_token(
    site: Site, tess: Owner, capsys: pytest.CaptureFixture[str]
) -> None:
    app = App(site)
    app.verify("tess", tess.password)
    texted = site.texts(PHONE)[0].text[:19]
    secrets = {"usual password": tess.password, "texted": texted, "token": app.token("tess", texted)}
    app.with_token(secrets["token"])
    ada = enrolled(site, "ada")
    ada.log_in_whole()
    secrets["made"] = made(ada)
    app.verify("ada", secrets["made"])
    app.verify("ada", secrets["made"] + "x")
    secrets |= {f"{name}, as it is compared": value.replace("-", "") for name, value in secrets.items()}
    places = {"log": capsys.readouterr().err.encode(), **stored(site)}
    for place, content in places.items():
        for what, secret in secrets.items():
            assert secret.encode() not in content, f"{what} in {place}"
    assert len(site.services.legacy_access.cache._cache) == 1
    memory = repr(vars(site.services.legacy_access.cache))
    assert not any(secret in memory for secret in secrets.values())
