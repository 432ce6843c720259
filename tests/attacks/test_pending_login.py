"""An attacker who knows the password and has no second factor."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attacks.tools import (
    account_id,
    cookies_of,
    everything,
    give,
    is_in,
    live_sessions,
    routes,
    second_factor_attempts,
    unguessable_attempts,
    wrong,
)
from tests.conftest import Site
from tests.people import Owner

METHOD = "/settings/security/two-factor/authentication-app"
WAYS: dict[str, dict[str, Any]] = {
    "page": {},
    "htmx": {"headers": {"HX-Request": "true"}},
    "json": {"headers": {"Accept": "application/json"}},
    "head": {},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", ["desktop", "android"])
def test_every_page_is_closed_to_a_pending_login(site: Site, ada: Owner, way: str, layout: str) -> None:
    stranger = ada.other_browser(layout=layout)
    assert stranger.log_in().h1 == "Enter your code"
    before, opened = everything(site), 0
    for route in routes(site):
        if route.is_open or route.layout != layout or "GET" not in route.methods:
            continue
        method = "HEAD" if way == "head" else "GET"
        page = stranger.send(method, route.path, follow=False, **{k: dict(v) for k, v in WAYS[way].items()})
        target = page.response.headers.get("HX-Redirect") or page.response.headers.get("Location")
        assert target is not None, f"{route} answered {page.status}"
        assert target.startswith("/log-in?next="), f"{route} answered {page.status}"
        assert "Ada" not in page.text
        opened += 1
    assert opened > 20
    assert everything(site) == before


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "htmx"])
def test_no_form_behind_the_log_in_works_in_a_pending_login(site: Site, ada: Owner, htmx: bool) -> None:
    for layout in ("desktop", "android"):
        stranger = ada.log_in_elsewhere(layout=layout, htmx=htmx)
        token, before = stranger.token(), everything(site)
        for route in routes(site):
            if route.is_open or route.layout != layout or "POST" not in route.methods:
                continue
            fields = {"csrf_token": token, "method": "authentication-app", "code": ada.code(), "password": ada.password}
            page = stranger.send("POST", route.path, data=fields, follow=False)
            target = page.response.headers.get("HX-Redirect") or page.response.headers.get("Location") or ""
            assert target.startswith("/log-in"), f"{route} answered {page.status}"
        assert everything(site) == before
        site.clock.pass_(60)


def test_a_factor_cannot_be_enrolled_replaced_or_turned_off_in_a_pending_login(
    site: Site, ada: Owner, stranger: Owner
) -> None:
    before = everything(site)
    for path in (f"{METHOD}/overview", f"{METHOD}/link", f"{METHOD}/code", f"{METHOD}/turn-off"):
        assert stranger.post(path, code=ada.code(), method="authentication-app").path == "/log-in"
    assert everything(site) == before


def test_a_code_of_another_account_and_swapped_ids_are_refused(
    site: Site, ada: Owner, stranger: Owner, mallory: Owner
) -> None:
    mine, theirs = account_id(site, "mallory"), account_id(site)
    for ids in ({"account_id": str(mine)}, {"user": "mallory"}, {"challenge": f"log-in:{mine}"}, {"id": str(mine)}):
        page = stranger.post("/log-in/verify", code=mallory.code(), **ids)
        assert page.status == 422
    assert live_sessions(site) == 1
    assert second_factor_attempts(site) == 4
    assert theirs != mine
    assert not is_in(stranger)


NOTHINGS: tuple[dict[str, str], ...] = (
    {},
    {"code": ""},
    {"code": "null"},
    {"code": "[]"},
    {"code": "{}"},
    {"code": "undefined"},
    {"code": "true"},
    {"code": "-1"},
    {"code": "0"},
    {"mfa": "false"},
    {"code": "", "mfa": "false", "verified": "1"},
    {"code": "9" * 5000},
    {"code": "' OR 1=1 --"},
)


def test_a_missing_code_is_refused_and_compared_with_nothing(site: Site, ada: Owner, stranger: Owner) -> None:
    """So it costs no attempt, of the owner's account either."""
    for fields in NOTHINGS:
        for path in ("/log-in/verify", "/log-in/backup-code"):
            page = stranger.post(path, follow=False, **fields)
            assert (page.status, page.problems[:1]) == (422, ["Enter the complete code."]), (path, fields)
            assert stranger.cookie("session") is None
    assert second_factor_attempts(site) == unguessable_attempts(site) == 0


def test_six_zeros_are_a_counted_failure(site: Site, ada: Owner, stranger: Owner) -> None:
    assert ada.code() != "000000", "the clock stands still, so this is no gamble"
    assert stranger.press("Verify", code="000000").status == 422
    assert second_factor_attempts(site) == 1


def test_json_instead_of_a_form_is_refused(site: Site, stranger: Owner) -> None:
    before = everything(site)
    headers = {"Content-Type": "application/json", "X-CSRFToken": stranger.token()}
    for body in ("null", "[]", "{}", '{"code": null}', '{"code": []}', '{"mfa": false}', "x" * 100):
        assert stranger.send("POST", "/log-in/verify", data=body, headers=headers, follow=False).status == 400
    assert everything(site) == before


def test_a_code_that_is_sent_twice_in_one_form_counts_once(site: Site, ada: Owner, stranger: Owner) -> None:
    body = f"csrf_token={stranger.token()}&code={wrong(ada.code())}&code={ada.code()}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert stranger.send("POST", "/log-in/verify", data=body, headers=headers, follow=False).status == 400
    body = f"csrf_token={stranger.token()}&code[]={ada.code()}"
    assert stranger.send("POST", "/log-in/verify", data=body, headers=headers, follow=False).status == 400
    assert live_sessions(site) == 1


CLAIMS: tuple[dict[str, str], ...] = (
    {"X-MFA-Verified": "true", "X-Second-Factor": "ok", "X-Authenticated": "1"},
    {"Remote-User": "ada", "X-Forwarded-User": "ada", "X-Remote-User": "ada"},
    {"Authorization": "Basic YWRhOmFuYWx5dGljYWwgZW5naW5lIG5vdGVz"},
    {"X-Original-URL": "/settings", "X-Rewrite-URL": "/settings", "X-HTTP-Method-Override": "POST"},
)


def test_a_header_that_claims_a_checked_code_is_ignored(stranger: Owner) -> None:
    for headers in CLAIMS:
        assert stranger.open("/settings", headers=headers, follow=False).status == 303
        assert stranger.open("/", headers=headers, follow=False).status == 303


def test_no_cookie_of_the_password_step_is_a_session(site: Site, ada: Owner, stranger: Owner) -> None:
    jar = cookies_of(stranger)
    assert "login" in jar
    assert "session" not in jar
    for value in jar.values():
        browser = ada.other_browser()
        give(browser, **{**jar, "session": value})
        assert not is_in(browser)
    token = jar["login"].split(".")[0]
    for value in (token, f"{token}.{'A' * 27}", site.services.sessions.find.__name__):
        browser = ada.other_browser()
        give(browser, session=value)
        assert not is_in(browser)


def test_a_pending_login_expires_after_ten_minutes_even_for_the_right_code(
    site: Site, ada: Owner, stranger: Owner
) -> None:
    token = stranger.token()
    site.clock.pass_(600)
    page = stranger.send("POST", "/log-in/verify", data={"csrf_token": token, "code": ada.code()})
    assert page.path == "/log-in"
    assert live_sessions(site) == 1


def test_a_method_that_the_account_lacks_is_not_found(stranger: Owner) -> None:
    assert stranger.open("/log-in/verify?method=text-message").status == 404
    assert stranger.post("/log-in/methods", method="security-key").status == 404


def test_a_pending_login_that_the_owner_ended_stays_ended_for_its_cookie(
    site: Site, ada: Owner, stranger: Owner
) -> None:
    copied = cookies_of(stranger)["login"]
    with site.services.db.write() as tx:
        site.services.sessions.end_others(tx, account_id(site), None)
    give(stranger, login=copied)
    assert stranger.open("/log-in/verify").h1 == "Log in"
    stranger.post("/log-in/verify", code=ada.code())
    assert not is_in(stranger)
