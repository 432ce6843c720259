"""What every page has: its footer, its language, the other layout, and a designed page for each error."""

from __future__ import annotations

from gettext import NullTranslations
from typing import Any

import pytest

from tests.attacks.tools import old_token
from tests.conftest import Site, one_database
from tests.doubles import CheapHasher
from tests.people import ANDROID, DESKTOP, HOST, IPHONE, TWO_FACTOR, Owner, Person
from tests.relying_party import RelyingParty, arrive
from webapp.domain.language import ENGLISH, Language, spoken
from webapp.policy import HOUR

PHONE = f"mobile.{HOST}"


def test_the_footer_of_every_page_links_to_help_about_terms_privacy_and_status(ada: Owner) -> None:
    ada.htmx = False
    page = ada.open("/log-in")
    titles = set()
    for link, h1 in (
        ("Help", "How to use two-factor authentication"),
        ("About", "About"),
        ("Terms", "Terms"),
        ("Privacy", "Privacy notice"),
        ("Status", "Status"),
    ):
        page = ada.follow(link)
        assert (page.status, page.h1) == (200, h1)
        titles.add(page.title)
    assert len(titles) == 5


def test_the_help_page_describes_its_own_layout(ada: Owner) -> None:
    page = ada.open("/help/two-factor-authentication")
    middle = "Security and account access" if ada.layout == DESKTOP else "Account"
    assert page.says(f"Settings and privacy > {middle} > Security > Two-factor authentication")


def test_the_cookie_notice_is_shown_until_it_is_dismissed(ada: Owner) -> None:
    ada.htmx = False
    page = ada.open("/about")
    assert page.soup.find("section", attrs={"aria-label": "Cookie notice"})
    page = ada.press("OK")
    assert page.path == "/about"
    assert not page.soup.find("section", attrs={"aria-label": "Cookie notice"})


def test_an_expired_page_does_not_dismiss_the_notice(ada: Owner) -> None:
    ada.htmx = False
    ada.open("/about")
    page = ada.send("POST", "/cookie-notice", data={"csrf_token": "old", "next": "//evil.example"})
    assert page.path == "/log-in"
    assert page.soup.find("section", attrs={"aria-label": "Cookie notice"})


def test_every_form_of_an_expired_page_says_that_nothing_was_changed(enrolled: Owner, site: Site) -> None:
    ada, token = enrolled, old_token(site, enrolled)
    for path, fields, follows in (
        ("/log-out", {}, "/"),
        ("/language", {"language": "de", "next": "/settings"}, "/settings"),
        ("/cookie-notice", {"next": "/settings"}, "/settings"),
        (f"{TWO_FACTOR}/authentication-app/turn-back-on", {}, TWO_FACTOR),
        ("/step-up/password", {"cancel": "1"}, "/step-up/password"),
    ):
        page = ada.send("POST", path, data={"csrf_token": token, **fields})
        assert (page.path, page.problems) == (follows, ["This page was out of date. Nothing was changed. Try again."])
    assert ada.open("/settings").h1 == "Settings and privacy", "still logged in, and in English"


def test_another_code_from_an_expired_page_asks_for_no_code(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.open("/sign-up/email")
    ada.press("Next", email=ada.email)
    page = ada.press("Resend code", csrf_token=old_token(site, ada))
    assert page.problems == ["This page was out of date. Nothing was changed. Try again."]


def test_a_backup_code_is_downloaded_from_an_old_page_too(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.turn_on_app()
    ada.htmx = False
    page = ada.press("Download", csrf_token=old_token(site, ada))
    assert (page.status, page.response.mimetype) == (200, "text/plain")
    assert ada.kept_code in page.text


def test_a_form_of_an_ended_session_leads_back_to_its_page(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open("/settings/account/name")
    site.clock.pass_(HOUR)
    page = ada.press("Save", name="Grace")
    assert (page.path, page.receipts) == ("/log-in", ["You've been logged out."])
    assert ada.press("Log in", username="ada", password=ada.password).path == "/settings/account/name"
    site.clock.pass_(HOUR)
    ada.send("POST", "/settings/account/data/file", data={"csrf_token": ada.token()})
    assert ada.press("Log in", username="ada", password=ada.password).path == "/"


def test_the_menu_is_shown_to_logged_in_users_only(ada: Owner) -> None:
    ada.htmx = False
    assert ada.open("/log-in").soup.find("nav", attrs={"aria-label": "Main"}) is None
    ada.sign_up()
    page = ada.open("/")
    menu = page.button("More" if ada.layout == DESKTOP else "Profile")
    assert menu["aria-expanded"] == "false"
    controlled = page.soup.find(id=menu["aria-controls"])
    assert controlled is not None
    assert "Settings and privacy" in controlled.get_text(" ", strip=True)
    assert "Log out" in page.buttons


def test_htmx_gets_a_fragment_and_every_other_client_the_whole_page(site: Site) -> None:
    ada = Owner(site, htmx=True)
    page = ada.open("/log-in")
    assert "<html" not in page.text
    assert page.h1 == "Log in"
    assert page.response.headers["HX-Push-Url"] == "/log-in"
    assert "HX-Request" in page.response.headers["Vary"]
    restored = ada.send("GET", "/log-in", headers={"HX-History-Restore-Request": "true"})
    assert restored.soup.find("html")
    ada.htmx = False
    page = ada.open("/log-in")
    assert page.soup.find("html")
    assert "HX-Push-Url" not in page.response.headers


@one_database
def test_a_fragment_changes_the_name_and_the_marks_in_the_navigation_too(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.htmx = True
    ada.open("/settings/account/name")
    around = ada.press("Save", name="Ada King").soup.select("[data-hx-swap-oob]")
    who, places = (next(one for one in around if one["id"] == name) for name in ("who", "settings-list"))
    assert "Ada King" in who.get_text()
    assert [link.get_text(strip=True) for link in places.select("[aria-current]")] == ["Account"]
    around = ada.open("/").soup.select("[data-hx-swap-oob]")
    home, places = (next(one for one in around if one["id"] == name) for name in ("home-place", "settings-list"))
    assert home.find("a", attrs={"aria-current": "page"})
    assert not places.get_text(strip=True)


# -- The two layouts -------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [ANDROID, IPHONE])
def test_a_phone_at_the_main_host_is_redirected_to_the_mobile_host(site: Site, layout: str) -> None:
    ada = Person(site.app, layout)
    page = ada.send("GET", "/log-in?next=/settings", host=HOST, follow=False)
    assert page.status == 303
    assert page.response.headers["Location"] == f"http://{PHONE}/log-in?next=/settings"
    assert {"Sec-CH-UA-Mobile", "User-Agent"} <= set(page.response.headers["Vary"].replace(" ", "").split(","))


@pytest.mark.parametrize(("hint", "status"), [("?1", 303), ("?0", 200), ("nonsense", 200)])
def test_the_client_hint_overrides_the_user_agent(site: Site, hint: str, status: int) -> None:
    page = Person(site.app).send("GET", "/log-in", headers={"Sec-CH-UA-Mobile": hint}, follow=False)
    assert page.status == status
    phone = Person(site.app, ANDROID).send(
        "GET", "/log-in", host=HOST, headers={"Sec-CH-UA-Mobile": "?0"}, follow=False
    )
    assert phone.status == 200


@pytest.mark.parametrize(
    "address",
    ["/reset-password/a%0D%0AX:%20y", "/reset-password/a%3Fnext=b", "/reset-password/a%23b", "/log-in?next=%0D%0A"],
)
def test_a_phone_is_redirected_to_the_address_as_it_was_sent(site: Site, address: str) -> None:
    page = Person(site.app, ANDROID).send("GET", f"http://{HOST}{address}", follow=False)
    assert (page.status, page.response.headers["Location"]) == (303, f"http://{PHONE}{address}")


def test_head_is_answered_like_get(ada: Owner, site: Site) -> None:
    """RFC 9110 section 9.3.2."""
    ada.sign_up()
    phone = Person(site.app, ANDROID)
    for who, path in ((ada, f"http://{ada.host}/log-in"), (phone, f"http://{HOST}/about")):
        head, get = (who.send(method, path, follow=False) for method in ("HEAD", "GET"))
        assert head.status == get.status == 303
        assert head.response.headers["Location"] == get.response.headers["Location"]


def test_posts_fragments_and_requests_of_programs_are_not_redirected(site: Site) -> None:
    phone = Person(site.app, IPHONE)
    assert phone.send("POST", "/log-in", host=HOST, data={"csrf_token": "x"}, follow=False).status == 422
    assert phone.send("GET", "/log-in", host=HOST, headers={"HX-Request": "true"}, follow=False).status == 200
    page = phone.send("GET", "/.well-known/change-password", host=HOST, follow=False)
    assert (page.status, page.response.headers["Location"]) == (302, "/settings/account/password")
    assert phone.send("GET", "/healthz", host=HOST, follow=False).status == 200


def test_a_phone_that_chose_the_desktop_layout_keeps_it_until_it_chooses_the_other(site: Site) -> None:
    ada = Person(site.app, IPHONE)
    page = ada.open("/about")
    assert "Desktop site" in page.links
    page = ada.send("GET", page.link("Desktop site"))
    assert (page.response.request.host, page.h1) == (HOST, "About")
    again = ada.send("GET", "/log-in", host=HOST)
    assert again.response.request.host == HOST
    back = ada.send("GET", again.link("Mobile site"), host=HOST)
    assert back.response.request.host == PHONE
    assert ada.send("GET", "/log-in", host=HOST).response.request.host == PHONE


def test_the_other_layout_has_the_query_of_the_page_too(site: Site) -> None:
    """On the way to an app, the query is all that leads there."""
    phone, wiki = Person(site.app, ANDROID), RelyingParty(site)
    phone.open(wiki.address(), follow=False)
    waiting = arrive(phone).response.request.args["next"]
    assert waiting.startswith("/oauth/consent?id=")
    for label, host in (("Desktop site", HOST), ("Mobile site", PHONE)):
        page = phone.send("GET", phone.page.link(label))
        assert (page.h1, page.response.request.host) == ("Log in", host)
        assert page.response.request.args["next"] == waiting
    page = phone.open("/about?lang=en")
    assert "lang" not in page.link("Desktop site"), "another language may be chosen there"


@pytest.mark.parametrize("following", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1"])
def test_the_choice_of_a_layout_redirects_within_this_site_only(site: Site, following: str) -> None:
    ada = Person(site.app)
    page = ada.send("GET", "/site/desktop", query_string={"next": following}, follow=False)
    assert page.response.headers["Location"] == f"http://{HOST}/"
    assert ada.open("/site/hologram").status == 404


def test_an_account_is_the_same_in_both_layouts_but_each_host_has_its_own_session(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    phone = ada.other_browser(layout=ANDROID)
    phone.client = ada.client
    assert phone.open("/").path == "/log-in"
    phone.log_in()
    assert phone.press("Verify", code=phone.next_code()).h1 == "Welcome, Ada Lovelace"


# -- Languages -------------------------------------------------------------------------------------


class Latin(NullTranslations):
    def gettext(self, message: str) -> str:
        return {"Log in": "Intra", "%(what)s (%(site)s)": "%(site)s dicit: %(what)s"}.get(message, message)


class TestSiteWithTwoLanguages:
    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        languages = {"en": ENGLISH, "la": Language("la", "Latina", translations=Latin())}
        return {"hasher": CheapHasher(), "languages": languages}

    def test_the_language_is_chosen_in_the_footer_and_kept(self, site: Site) -> None:
        ada = Owner(site)
        page = ada.open("/log-in")
        assert page.h1 == "Log in"
        assert page.field("Language").find("option", attrs={"selected": True})["value"] == "en"
        page = ada.press("Change language", language="la")
        assert (page.path, page.h1) == ("/log-in", "Intra")
        assert page.soup.find("html")["lang"] == "la"
        assert ada.open("/log-in").h1 == "Intra"

    def test_a_logged_in_user_gets_emails_in_the_chosen_language_too(self, site: Site) -> None:
        ada = Owner.signed_up(site)
        ada.open("/")
        ada.press("Change language", language="la")
        ada.open("/settings/account/password")
        ada.press("Save", password="seven brass wheels turning")
        assert site.emails(ada.email)[0].subject.startswith("Nightlatch dicit: ")

    def test_the_settings_show_each_language_by_its_own_name(self, site: Site) -> None:
        ada = Owner.signed_up(site)
        page = ada.open("/settings/language")
        assert page.field("English").has_attr("checked")
        (name,) = page.soup.select("main label[for=language-la] bdi")
        assert (name.get_text(), name["lang"], name["dir"]) == ("Latina", "la", "ltr")
        page = ada.press("Save", language="la")
        assert (page.path, page.soup.find("html")["lang"]) == ("/settings/language", "la")
        assert page.field("Latina").has_attr("checked")

    def test_the_account_decides_before_the_browser_and_follows_the_picker(self, site: Site) -> None:
        ada = Owner.signed_up(site)
        latin = {"Accept-Language": "la"}
        assert ada.open("/settings/language", headers=latin).soup.find("html")["lang"] == "en"
        elsewhere = ada.log_in_elsewhere()
        ada.press("Save", language="la")
        for page in (elsewhere.open("/"), elsewhere.open("/nothing-here"), elsewhere.open("/about")):
            assert page.soup.find("html")["lang"] == "la"
        page = elsewhere.press("Log out")
        assert (page.soup.find("html")["lang"], page.h1) == ("en", "Log in")

    def test_an_address_with_a_language_is_answered_in_it_and_stores_nothing(self, site: Site) -> None:
        ada = Owner(site)
        page = ada.open("/log-in?lang=la&next=/settings")
        assert (page.h1, page.response.headers.getlist("Set-Cookie")[1:]) == ("Intra", [])
        page = ada.press("Intra", username="ada", password="wrong")
        assert (page.status, page.h1) == (422, "Intra")
        assert ada.open("/log-in").h1 == "Log in"
        assert ada.open("/log-in?lang=tlh").h1 == "Log in"
        ada.sign_up()
        assert ada.open("/about?lang=la").soup.find("html")["lang"] == "la"
        assert ada.open("/settings?lang=la").soup.find("html")["lang"] == "en"

    def test_a_part_of_a_page_in_another_language_is_replaced_by_the_whole_page(self, site: Site) -> None:
        ada = Owner.signed_up(site, htmx=True)
        ada.open("/settings/account/name")
        ada.press("Save", name="Ada King")
        part = {"X-Page-Language": "la"}
        response = ada.send("GET", "/settings/account", follow=False, headers=part).response
        assert (response.headers["HX-Redirect"], response.data) == ("/settings/account", b"")
        part = {"X-Page-Language": "en"}
        assert "HX-Redirect" not in ada.send("GET", "/settings/account", follow=False, headers=part).response.headers

    def test_another_language_can_be_chosen_on_such_an_address(self, site: Site) -> None:
        ada = Owner(site)
        ada.open("/log-in?next=/settings&lang=la")
        page = ada.press("Change language", language="en")
        assert page.h1 == "Log in"
        assert page.soup.select_one("footer [name=next]")["value"] == "/log-in?next=%2Fsettings"

    def test_an_account_that_an_operator_made_gets_the_language_of_its_first_log_in(self, site: Site) -> None:
        site.services.sign_up.create_by_operator("Eve", "eve", "seven brass wheels turning", None, confirmed=False)
        eve = Person(site.app)
        eve.open("/log-in?lang=la")
        eve.press("Intra", username="eve", password="seven brass wheels turning")
        assert site.services.accounts.named("eve").language == "la"
        assert eve.open("/about").soup.find("html")["lang"] == "la"

    @pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
    def test_public_pages_name_their_address_in_each_language(self, site: Site, layout: str) -> None:
        visitor = Person(site.app, layout)
        here = f"http://{HOST if layout == DESKTOP else PHONE}"
        for path in ("/log-in", "/sign-up", "/help/two-factor-authentication", "/about", "/status"):
            for query, named in (("", ""), ("?next=/&lang=la", "?lang=la")):
                page = visitor.open(path + query)
                found = {link["hreflang"]: link["href"] for link in page.soup.select("head > link[rel=alternate]")}
                assert found == {**{c: f"{here}{path}?lang={c}" for c in ("en", "la")}, "x-default": f"{here}{path}"}
                (canonical,) = page.soup.select("head > link[rel=canonical]")
                assert canonical["href"] == f"http://{HOST}{path}{named}"
                assert {"Accept-Language", "Cookie"} <= set(page.response.vary)
        assert not visitor.open("/nothing-here").soup.select("[hreflang], [rel=canonical]")

    def test_choosing_an_unknown_language_changes_nothing(self, site: Site) -> None:
        ada = Owner(site)
        ada.open("/log-in")
        assert ada.press("Change language", language="tlh").h1 == "Log in"
        assert ada.cookie("language") is None

    @pytest.mark.parametrize(
        ("accepts", "h1"),
        [
            ("la", "Intra"),
            ("la-VA, en;q=0.5", "Intra"),
            ("tlh, la;q=0.3", "Intra"),
            ("en, la;q=0.9", "Log in"),
            ("la;q=0", "Log in"),
            ("tlh", "Log in"),
            ("", "Log in"),
        ],
    )
    def test_otherwise_the_browser_selects_the_language(self, site: Site, accepts: str, h1: str) -> None:
        page = Person(site.app).send("GET", "/log-in", headers={"Accept-Language": accepts})
        assert page.h1 == h1

    def test_the_next_request_in_the_same_thread_has_its_own_language(self, site: Site) -> None:
        Person(site.app).send("GET", "/log-in", headers={"Accept-Language": "la"})
        assert spoken() is ENGLISH
        assert Person(site.app).open("/log-in").h1 == "Log in"


# -- Errors ----------------------------------------------------------------------------------------


def broken() -> None:
    raise ZeroDivisionError


@pytest.fixture
def faulty(site: Site) -> Site:
    site.app.add_url_rule("/broken", view_func=broken)
    site.app.add_url_rule("/broken", view_func=broken, subdomain="mobile", endpoint="broken_mobile")
    return site


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
@pytest.mark.parametrize(
    ("status", "h1", "method", "path", "options"),
    [
        (400, "Bad request", "GET", "/log-in?next=%00", {}),
        (400, "Bad request", "GET", "/log-in?next=%ff", {}),
        (
            400,
            "Bad request",
            "POST",
            "/log-in",
            {"data": "username=%ff", "content_type": "application/x-www-form-urlencoded"},
        ),
        (400, "Bad request", "POST", "/log-in", {"json": {"username": "ada"}}),
        (400, "Bad request", "POST", "/log-in", {"data": {"csrf_token": "x", "username[]": "a"}}),
        (400, "Bad request", "POST", "/log-in", {"data": {"csrf_token": ["x", "y"]}}),
        (400, "Bad request", "POST", "/log-in", {"data": {"username": "ada"}}),
        (
            403,
            "Not allowed",
            "POST",
            "/log-in",
            {"data": {"csrf_token": "x"}, "headers": {"Origin": "http://evil.example"}},
        ),
        (
            403,
            "Not allowed",
            "POST",
            "/log-in",
            {"data": {"csrf_token": "x"}, "headers": {"Sec-Fetch-Site": "cross-site"}},
        ),
        (404, "Page not found", "GET", "/no/such/page", {}),
        (405, "That didn't work", "GET", "/log-out", {}),
        (405, "That didn't work", "DELETE", "/log-in", {"data": {"csrf_token": "x"}}),
        (413, "Too large", "POST", "/log-in", {"data": {"csrf_token": "x", "password": "x" * 70_000}}),
        (500, "Something went wrong", "GET", "/broken", {}),
    ],
)
def test_every_error_has_a_designed_page_in_both_layouts(
    faulty: Site, layout: str, status: int, h1: str, method: str, path: str, options: dict[str, Any]
) -> None:
    page = Person(faulty.app, layout).send(method, path, **options)
    assert (page.status, page.h1) == (status, h1)
    assert page.title == f"{h1} - Nightlatch"
    assert page.link("Go to the home page") == "/"
    assert page.soup.find("footer")
    stylesheet = "desktop.css" if layout == DESKTOP else "mobile.css"
    assert stylesheet in page.text
    assert "Content-Security-Policy" in page.response.headers
    if status == 405:
        assert page.response.headers["Allow"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/about", "GET"), ("/log-out", "POST"), ("/oauth/token", "POST"), ("/oauth/userinfo", "GET, POST")],
)
@pytest.mark.parametrize("headers", [{}, {"Origin": "https://app.example"}, {"Content-Type": "application/json"}])
def test_a_method_that_no_page_has_is_told_before_the_request_is_read(
    site: Site, path: str, allowed: str, headers: dict[str, str]
) -> None:
    """RFC 9110 section 15.5.6. It was 400 without a token, and 403 from another site."""
    page = Person(site.app).send("DELETE", path, headers=headers, data=b"{}", host=HOST, follow=False)
    assert page.status == 405
    assert set(allowed.split(", ")) <= set(page.response.headers["Allow"].split(", "))
    assert "DELETE" not in page.response.headers["Allow"]


def test_an_error_inside_the_error_page_still_shows_a_page(faulty: Site) -> None:
    faulty.app.jinja_env.globals["to"] = broken
    page = Person(faulty.app).open("/broken")
    assert (page.status, page.h1) == (500, "Something went wrong")


def test_an_unknown_host_gets_a_plain_400(site: Site) -> None:
    page = Person(site.app).send("GET", "/log-in", host="evil.example")
    assert (page.status, page.h1) == (400, "Bad request")
    assert "evil.example" not in page.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the test drops a table, which SQLite does at once
@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
def test_an_unavailable_database_is_a_503_with_retry_after(site: Site, layout: str) -> None:
    ada = Owner.signed_up(site, layout=layout)
    site.services.db.engine.dispose()
    with site.services.db.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE sessions RENAME TO away")
        connection.commit()
    page = ada.open("/")
    assert (page.status, page.h1) == (503, "Not available right now")
    assert page.response.headers["Retry-After"] == "5"
    assert page.says("We can't save changes right now. Try again in 5 seconds.")


@one_database
def test_a_flood_of_failed_requests_is_a_429_with_retry_after(site: Site) -> None:
    eve, client = Person(site.app), site.app.test_client()
    for _ in range(site.services.settings.policy.flood.most):
        client.post("/log-in", base_url=f"http://{HOST}", environ_overrides={"REMOTE_ADDR": eve.address})
    for layout in (DESKTOP, ANDROID):
        page = Person(site.app, layout).send("POST", "/log-in", data={"csrf_token": "x"})
        assert (page.status, page.h1) == (429, "Too many attempts")
        assert int(page.response.headers["Retry-After"]) > 0
    assert eve.open("/log-in").status == 200  # GET is not limited
    neighbour = Person(site.app, address="198.51.100.7")
    assert neighbour.send("POST", "/log-in", data={"csrf_token": "x"}).status == 422


def test_pages_of_an_account_are_not_stored_by_the_browser(enrolled: Owner) -> None:
    for path in ("/", "/settings", "/settings/security/two-factor"):
        assert enrolled.open(path).response.headers["Cache-Control"] == "no-store"
