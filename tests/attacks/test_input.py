"""Input that no form of the site sends, and secrets in logs, dumps and cookies."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.tools import cookies_of, everything, is_in, routes, stale, stored
from tests.conftest import POSTGRES, Site
from tests.people import Owner, Person
from webapp import create_app
from webapp.settings import Settings

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HERE = "http://nightlatch.localhost:5000"


def assert_fast_refusal(person: Person, path: str, statuses: tuple[int, ...], **options: Any) -> None:
    began = time.thread_time()
    page = person.send("POST", path, follow=False, **options)
    assert page.status in statuses, (path, page.status)
    assert time.thread_time() - began < 1, "work, not waiting: the machine may be busy"


def test_a_password_of_ten_megabytes_is_refused_at_once(site: Site, hasher: Any) -> None:
    eve = Person(site.app)
    token = eve.token()
    before = len(hasher.verified)
    for path in ("/log-in", "/sign-up", "/forgot-password", "/log-in/verify", "/nothing"):
        body = f"csrf_token={token}&username=ada&name=A&password={'x' * 10_000_000}"
        assert_fast_refusal(eve, path, (413, 404), data=body, headers=FORM)
        part = f'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n--b\r\n'
        part += f'Content-Disposition: form-data; name="password"\r\n\r\n{"x" * 10_000_000}\r\n--b--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        assert_fast_refusal(eve, path, (413, 404), data=part, headers=headers)
    many = "&".join(f"a{i}=1" for i in range(5000))
    assert_fast_refusal(eve, "/log-in", (400, 413, 422), data=f"csrf_token={token}&{many}", headers=FORM)
    assert len(hasher.verified) == before


def test_the_longest_accepted_forms_cost_little(site: Site, hasher: Any) -> None:
    eve = Person(site.app)
    for text in ("x" * 60_000, "\ufdfa" * 6_000, "a." * 30_000, "a@" * 30_000, "ﷺ" * 6_000, "e\u0301" * 10_000):
        token = eve.token()
        fields = {"csrf_token": token, "username": text, "name": text, "password": text, "email": text, "code": text}
        for path in ("/log-in", "/sign-up", "/forgot-password"):
            assert_fast_refusal(eve, path, (200, 413, 422, 429), data=fields)
    assert everything(site)["accounts"] == []


@pytest.mark.parametrize("text", ["a\u200c" * 5000, "\U0001f469\u200d" * 2500, "\ufdfa" * 6000])
def test_names_that_grow_when_they_are_normalized_are_refused_like_any_long_one(site: Site, text: str) -> None:
    eve = Person(site.app)
    good = {"name": "Eve", "username": "eve", "password": "a sentence of mine"}
    for wrong in ({"name": text}, {"username": text}, {"password": text}):
        assert eve.post("/sign-up", follow=False, **{**good, **wrong}).status == 422, wrong.keys()
    assert eve.post("/forgot-password", follow=False, email=f"{text}@example.org").status == 422
    assert eve.post("/log-in", follow=False, username=text, password="any").status == 422
    assert everything(site)["accounts"] == []


def test_combining_marks_that_take_long_to_sort_are_refused_in_every_encoding(site: Site) -> None:
    eve, marks = Person(site.app), "\u0315\u0300\u05ae" * 5_000
    token = eve.token()
    for field in ("username", "password", "email"):
        body = f"csrf_token={token}&{field}={marks}"
        part = f'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
        part += f'--b\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{marks}\r\n--b--\r\n'
        for path in ("/log-in", "/sign-up", "/forgot-password", "/legacy/token"):
            assert_fast_refusal(eve, path, (400, 413), data=body.encode(), headers=FORM)
            multipart = {"Content-Type": "multipart/form-data; boundary=b"}
            if path != "/legacy/token":
                assert_fast_refusal(eve, path, (400, 413), data=part.encode(), headers=multipart)


def test_what_is_not_text_is_a_client_error_on_every_page(site: Site, ada: Owner) -> None:
    token = ada.token()
    bad_bodies: tuple[tuple[str | bytes, dict[str, str]], ...] = (
        (f"csrf_token={token}&username=a%00b&password=x%00y&code=1%002&email=a%00@b.c", FORM),
        (f"csrf_token={token}&username=%ff%fe&password=%c3%28&code=%80", FORM),
        (f"csrf_token={token}&username=%ed%a0%80&password=%ed%b0%80", FORM),
        (f"csrf_token={token}&username=a&username=b&password=x", FORM),
        (f"csrf_token={token}&username[]=a&password[]=x&code[]=1", FORM),
        (f"csrf_token={token}&username[x]=a&password[x]=y", FORM),
        ('{"username": ["a"], "password": {"b": 1}}', {"Content-Type": "application/json", "X-CSRFToken": token}),
        (f"csrf_token={token}&username=a", {"Content-Type": "text/plain"}),
        (f"csrf_token={token}", {"Content-Type": "application/xml"}),
        (b"\xff\xfe\x00", {"Content-Type": "application/octet-stream"}),
        (b"--x\r\n\r\nnonsense", {"Content-Type": "multipart/form-data; boundary=x"}),
        (b"", {"Content-Type": "multipart/form-data"}),
    )
    before = everything(site)
    for route in routes(site):
        if route.layout == "desktop" and "POST" in route.methods:
            for body, headers in bad_bodies:
                assert_fast_refusal(ada, route.path, (400, 413), data=body, headers=headers)
    assert everything(site) == before
    assert is_in(ada)


def test_urls_cookies_and_headers_that_no_browser_sends_cause_no_server_error(site: Site, ada: Owner) -> None:
    for path in ("/log-in?next=%00", "/log-in?next=%ff", "/reset-password/%00", "/?%00"):
        page = status_of(ada, path)
        assert page == 400, path
    for path in ("/reset-password/" + "0" * 7000, "/delivery/..%2f..", "/static/x/..%2f..%2fwsgi.py", "/?[]=1&a[b]=c"):
        assert status_of(ada, path) < 500, path
    odd = ("\x7f\x80", "é" * 50, '"\\', "a" * 4000, "~~~", ".", "=;,", "\udcff")
    for name in ("session", "login", "remembered", "browser", "form", "language", "site", "cookies-seen"):
        for value in odd:
            raw = f"{name}={value}".encode("utf-8", "surrogateescape").decode("latin-1")
            for path in ("/", "/log-in", "/log-in/verify"):
                response = site.app.test_client(use_cookies=False).get(path, base_url=HERE, headers={"Cookie": raw})
                assert response.status_code in (200, 303), (name, value)
    for name in ("Accept-Language", "User-Agent", "HX-Current-URL", "Accept", "Sec-CH-UA-Mobile", "X-Forwarded-For"):
        for value in ("é" * 2000, ",;=", "q=;q=9,*;q=x", "*", "zh-" * 1000, "\x80"):
            assert ada.open("/settings", headers={name: value}, follow=False).status in (200, 303), name


def status_of(person: Person, path: str) -> int:
    return person.client.get(path, base_url=HERE, follow_redirects=False).status_code


def test_unusual_code_points_in_names_and_codes_cause_no_server_error(site: Site, ada: Owner) -> None:
    eve = ada.log_in_elsewhere()
    for text in (
        "²²²²²²",
        "１２３４５６",
        "٠١٢٣٤٥",
        "\u202e123456",
        "\U0010ffff",
        "\ud7ff",
        "\ufeff",
        "Ⅷ",
        "½",
        "𝟙𝟚𝟛𝟜𝟝𝟞",
    ):
        site.clock.pass_(400)
        eve.log_in()
        assert eve.post("/log-in/verify", follow=False, code=text).status == 422, text
        assert eve.post("/log-in/backup-code", follow=False, code=text).status == 422, text
        page = Person(site.app, address="192.0.2.200").post("/log-in", follow=False, username=text, password=text)
        assert page.status == 422
        page = Person(site.app).post("/sign-up", follow=False, name=text, username=text, password=text)
        assert page.status == 422


def test_typed_markup_is_shown_as_text(site: Site) -> None:
    eve = Person(site.app)
    attack = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    for path, fields in (
        ("/log-in", {"username": attack, "password": "x"}),
        ("/sign-up", {"name": attack, "username": attack, "password": "x"}),
        ("/forgot-password", {"email": attack}),
    ):
        page = eve.post(path, **fields)
        assert "<script>alert" not in page.text
        assert not page.soup.find("img", attrs={"src": "x"})
    for path in (f"/log-in?next=/{attack}", f"/{attack}", "/log-in?next=javascript:alert(1)"):
        assert "<script>alert" not in eve.open(path).text


def test_a_name_cannot_add_markup_or_a_header_to_an_email(site: Site) -> None:
    eve = Owner(site, "eve")
    eve.open("/sign-up")
    page = eve.press("Sign up", name="A\r\nBcc: x@y.z <b>", username="eve", password=eve.password)
    assert page.path == "/sign-up/email"
    eve.press("Next", email="eve@example.org")
    for email in site.emails():
        assert "\n" not in email.subject
        assert "<b>" not in email.html


# -- Secrets in the database, the log and cookies --------------------------------------------------


def texts_in_passing(site: Site) -> dict[str, str]:
    """Phone numbers and texted codes in every place that handles them: typed, asked for, refused and stored."""
    tess, number, other, premium = Owner(site, "tess"), "7400123456", "7400987654", "9005550123"
    tess.sign_up()
    tess.turn_on_texts(f"+44{number}")
    secrets = {"number": number, "other number": other, "premium number": premium}
    site.clock.pass_(61)
    pending = tess.log_in_elsewhere()
    secrets["texted code"] = site.texted_code(f"+44{number}")
    pending.press("Verify", code=secrets["texted code"])
    pending.open("/settings/account/phone")
    pending.press("Save", phone=f"+1{premium}")
    pending.press("Save", phone=f"+44{other}")
    secrets["code that confirms"] = site.texted_code(f"+44{other}")
    pending.press("Verify", code=secrets["code that confirms"])
    pending.open("/settings/account/phone")
    pending.press("Save", phone=f"+44{other}")  # too soon, which is written to the log
    stale(pending).post("/settings/account/phone", phone=f"+44{number}", country="GB")
    return secrets


def test_a_dump_of_database_log_and_cookies_has_no_secret_in_plain_text(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    bob = Owner(site, "bob")
    secrets = {"password": bob.password}
    bob.sign_up(confirm_email=False)
    bob.press("Next", email=bob.email)
    secrets["code by e-mail"] = site.emailed_code(bob.email)
    bob.press("Verify", code=secrets["code by e-mail"])
    bob.turn_on_app()
    secrets["authentication app"], secrets["backup code"] = bob.secret, bob.kept_code
    secrets["backup code as typed"] = bob.kept_code.replace("-", "")
    secrets["session"] = cookies_of(bob)["session"].split(".")[0]
    pending = bob.log_in_elsewhere()
    secrets["pending login"] = cookies_of(pending)["login"].split(".")[0]
    pending.press("Verify", code=bob.next_code(), remember="y")
    secrets["remembered browser"] = cookies_of(pending)["remembered"]
    reader = Person(site.app)
    reader.open("/forgot-password")
    reader.press("Send link", email=bob.email)
    secrets["reset link"] = site.emailed_path(bob.email, "/reset-password/").rpartition("/")[2]
    reader.open(f"/reset-password/{secrets['reset link']}")
    secrets["password that waits for step-up"] = "a new one that waits for step-up"
    stale(bob).post("/settings/account/password", password=secrets["password that waits for step-up"])
    bob.open("/settings/security/two-factor/authentication-app/overview")
    for text in ("/reset-password/", "/log-in?next=/x\n{}"):
        bob.open(text)
    bob.open("/log-in")
    secrets |= texts_in_passing(site)
    places = {"log": capsys.readouterr().err.encode()}
    assert b"message_sent" in places["log"], "the log is what is looked at"
    for browser in (bob, pending, reader):
        own = {name: v for name, v in cookies_of(browser).items() if name not in ("session", "login", "remembered")}
        places[f"cookies of {browser!r}"] = repr(own).encode()
    places |= stored(site)
    assert any(p.endswith("-wal") for p in places) or POSTGRES
    for place, content in places.items():
        for what, secret in secrets.items():
            if "code" in what and secret.isdigit():  # six digits alone may be part of anything
                found = f"{secret} is your".encode() in content or f'"{secret}"'.encode() in content
            else:
                found = secret.encode() in content
            assert not found, f"{what} in {place}"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_bug_is_logged_without_the_link_and_the_values_of_its_request(
    site: Site, ada: Owner, capsys: pytest.CaptureFixture[str]
) -> None:
    ada.post("/settings/account/password", password="a much longer new password")
    path = site.emailed_path(ada.email, "/not-you/")
    plain = Owner.signed_up(site, "bob")
    other = plain.other_browser()
    other.open("/log-in")
    with site.services.db.write() as tx:
        for what in ("UPDATE ON links", "INSERT ON sessions"):
            bug = f"CREATE TRIGGER bug_{what[-4:]} BEFORE {what} BEGIN SELECT RAISE(ABORT, 'a bug'); END"
            tx.connection.exec_driver_sql(bug)
    assert other.post(path).status == 500
    data = {"csrf_token": other.token(), "username": "bob", "password": plain.password}
    agent = {"User-Agent": "an agent who must not be named"}
    page = other.send("POST", "/log-in", data=data, headers=agent, follow=False)
    assert page.status == 500
    assert "Traceback" not in page.text
    said = capsys.readouterr().err
    assert said.count('"event": "bug"') == 2
    assert path.rpartition("/")[2] not in said
    assert "must not be named" not in said


# -- Over https ------------------------------------------------------------------------------------


@pytest.fixture
def secure(tmp_path: Path, site: Site, overrides: dict[str, Any]) -> Any:
    environ = {
        "NIGHTLATCH_SERVER_NAME": "login.example.org",
        "NIGHTLATCH_DATABASE_URL": site.services.settings.database_url,
        "NIGHTLATCH_SECRET_KEY": "0123456789abcdef" * 4,
        "NIGHTLATCH_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    }
    return create_app(Settings.read(environ, tmp_path / "other"), clock=site.clock, **overrides)


def test_over_https_cookies_are_bound_to_the_host_and_to_https(secure: Any) -> None:
    client, base = secure.test_client(), "https://login.example.org"
    page = client.get("/sign-up", base_url=base)
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    data = {"csrf_token": token, "name": "Ada", "username": "ada", "password": "analytical engine notes"}
    done = client.post("/sign-up", base_url=base, data=data, headers={"Origin": base})
    assert done.status_code == 303
    home = client.get("/", base_url=base)
    assert home.status_code == 200
    seen = set()
    for response in (page, done, home):
        assert response.headers["Strict-Transport-Security"].startswith("max-age=63072000")
        for cookie in response.headers.getlist("Set-Cookie"):
            name, _, rest = cookie.partition("=")
            seen.add(name)
            assert name.startswith("__Host-"), cookie
            for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite="):
                assert attribute in rest, cookie
            assert "Domain" not in rest, cookie
    assert "__Host-session" in seen
    insecure = client.post(
        "/log-out", base_url=base, data={"csrf_token": token}, headers={"Origin": base.replace("s:", ":")}
    )
    assert insecure.status_code == 403


def test_a_site_without_a_mail_server_shows_its_outbox_under_localhost_names_only(secure: Any, site: Site) -> None:
    client, base = secure.test_client(), "https://login.example.org"
    assert client.get("/outbox", base_url=base).status_code == 404
    assert "/outbox" not in client.get("/log-in", base_url=base).text
    assert Owner(site).open("/outbox").status == 200


def test_the_pending_login_cookie_is_strict_and_is_a_session_cookie(site: Site, ada: Owner) -> None:
    stranger = ada.other_browser()
    stranger.open("/log-in")
    page = stranger.post("/log-in", follow=False, username="ada", password=ada.password)
    cookies = [c for c in page.response.headers.getlist("Set-Cookie") if c.startswith("login=")]
    assert len(cookies) == 1
    for attribute in ("HttpOnly", "Path=/", "SameSite=Strict", "Max-Age=600"):
        assert attribute in cookies[0]
    assert "Domain" not in cookies[0]
