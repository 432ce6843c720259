"""Attacks on guarded hosts: on the question of the proxy, on the log-in to a host, and on the session at one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from tests.apps import App, basic
from tests.attacks.races import Racers
from tests.attacks.tools import account_id, cookies_of, count, live_sessions, user_of
from tests.conftest import Site, one_database
from tests.guarded_host import GuardedHost, code_in, original, refresh_of
from tests.people import HOST, Owner, Page
from webapp import create_app
from webapp.domain.origin import Origin
from webapp.models.accounts import Account
from webapp.models.apps import AppSession, TemporaryPassword
from webapp.models.registered_apps import KEY, TWO_FACTOR
from webapp.models.sessions import Session
from webapp.services.guarded.configurations import IDENTITY
from webapp.settings import Settings

AT_ONCE = 6
PROXIES = ("nginx", "caddy", "traefik", "envoy")
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
NEW_PASSWORD = "difference engine number two"
TEMPORARY_PASSWORD = "/settings/security/two-factor/temporary-password"


@pytest.fixture
def wiki(site: Site) -> GuardedHost:
    return GuardedHost(site)


@pytest.fixture
def evil(site: Site) -> GuardedHost:
    """Another guarded host, whose application an attacker runs."""
    return GuardedHost(site, "evil.localhost", "Evil")


def expired(page: Page) -> bool:
    return page.status == 400 and page.h1 == "This login request can't be completed"


def sessions_at_hosts(site: Site) -> int:
    return count(site, "SELECT count(*) FROM guarded_sessions WHERE ended_at IS NULL")


# -- The cookie ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "0" * 64, "x", "é", "' OR 1=1 --"])
def test_a_forged_cookie_lets_nobody_in(ada: Owner, wiki: GuardedHost, token: str) -> None:
    wiki.enter(ada)
    stranger = ada.other_browser()
    wiki.give(stranger, token)
    assert wiki.check(stranger).status == 401
    assert not any(wiki.check(stranger).response.headers.get(name) for name in IDENTITY)


def test_the_cookie_of_another_host_lets_nobody_in(ada: Owner, wiki: GuardedHost, evil: GuardedHost) -> None:
    evil.enter(ada)
    stolen, thief = evil.token(ada), ada.other_browser()
    wiki.give(thief, stolen)
    assert not wiki.lets_in(thief)
    evil.give(thief, stolen)
    assert evil.lets_in(thief)
    assert wiki.log_out(thief).status == 200
    assert evil.lets_in(thief), "a log-out at one host ends nothing at another"


def test_the_cookie_of_the_site_lets_nobody_in(ada: Owner, wiki: GuardedHost) -> None:
    thief = ada.other_browser()
    wiki.give(thief, cookies_of(ada)["session"])
    assert not wiki.lets_in(thief)


def test_neither_start_cookie_nor_code_nor_handle_is_a_session(ada: Owner, wiki: GuardedHost) -> None:
    page = wiki.ask(ada)
    handle = page.response.request.url.rpartition("=")[2]
    names = {name: value for name, value in cookies_of(ada, wiki.host).items() if "-start-" in name}
    assert len(names) == 1
    for token in (*names.values(), handle, code_in(refresh_of(ada))):
        stranger = ada.other_browser()
        wiki.give(stranger, token)
        assert not wiki.lets_in(stranger)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    set_at_start = wiki.check(ada).response.headers["Location"]
    cookies = ada.open(set_at_start, follow=False).response.headers.getlist("Set-Cookie")
    wiki.ask(ada)
    cookies += wiki.back(ada, code_in(refresh_of(ada))).response.headers.getlist("Set-Cookie")
    assert len(cookies) == 3
    assert all("HttpOnly" in one and "SameSite=Lax" in one and "Path=/" in one for one in cookies)
    assert not any("Domain" in one for one in cookies)
    real = GuardedHost(site, "wiki.example.org", "Other")
    start = ada.open(f"/.nightlatch/start?id={handle_of(real, ada)}", host="wiki.example.org", follow=False)
    assert start.response.headers["Set-Cookie"].startswith("__Host-Http-nightlatch-start-")
    assert "Secure" in start.response.headers["Set-Cookie"]


def handle_of(host: GuardedHost, person: Owner) -> str:
    to = host.check(person, headers={"X-Original-URL": f"https://{host.host}/"}).response.headers["Location"]
    return str(to.rpartition("=")[2])


def test_no_cookie_of_nightlatch_reaches_the_application(ada: Owner, wiki: GuardedHost) -> None:
    wiki.enter(ada)
    wiki.give(ada, "kept", "own")
    wiki.give(ada, "n", "nightlatch-start-0123456789abcdef")
    assert wiki.check(ada).response.headers["Cookie"] == "own=kept"


# -- The code of a log-in ------------------------------------------------------------------------------


def test_a_code_is_used_once(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    code = wiki.code(ada)
    cookies = cookies_of(ada, wiki.host)
    assert wiki.back(ada, code).status == 303
    for name, value in cookies.items():
        wiki.give(ada, value, name)
    assert expired(wiki.back(ada, code))
    assert sessions_at_hosts(site) == 1


def test_one_code_twice_at_once(
    ada: Owner, wiki: GuardedHost, site: Site, environ: dict[str, str], racers: Racers
) -> None:
    request = {
        "method": "GET",
        "path": f"/.nightlatch/back?code={wiki.code(ada)}",
        "host": wiki.host,
        "cookies": cookies_of(ada, wiki.host),
        "data": {},
        "address": "198.51.100.9",
    }
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert sorted(answer["status"] for answer in answers) == [303, *[400] * (AT_ONCE - 1)]
    assert sessions_at_hosts(site) == 1


def test_one_handle_started_twice_at_once(
    ada: Owner, wiki: GuardedHost, site: Site, environ: dict[str, str], racers: Racers
) -> None:
    path = f"/.nightlatch/start?id={handle_of(wiki, ada)}"
    request = {"method": "GET", "path": path, "host": wiki.host, "cookies": {}, "data": {}, "address": "198.51.100.9"}
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert sorted(answer["status"] for answer in answers) == [303, *[400] * (AT_ONCE - 1)]


def test_a_code_is_of_no_use_in_another_browser(ada: Owner, mallory: Owner, wiki: GuardedHost, site: Site) -> None:
    """Else an attacker could log a victim in to the attacker's account, or use a code that leaked."""
    code = wiki.code(ada)
    thief = ada.other_browser()
    assert expired(wiki.back(thief, code))
    wiki.check(thief)
    thief.open(thief.page.response.headers["Location"], follow=False)
    assert expired(wiki.back(thief, code)), "its nonce is of another log-in"
    assert sessions_at_hosts(site) == 0
    assert wiki.back(ada, code).status == 303, "and it is not used up"


def test_a_log_in_that_another_browser_began_ends_there(ada: Owner, mallory: Owner, wiki: GuardedHost) -> None:
    """Mallory begins a log-in and has Ada open its address: Ada's browser has no cookie of it."""
    to = wiki.check(mallory).response.headers["Location"]
    at_site = mallory.open(to, follow=False).response.headers["Location"]
    assert expired(ada.open(to, follow=False)), "it started in another browser"
    ada.open(at_site)
    code = code_in(refresh_of(ada))
    assert expired(wiki.back(ada, code))
    assert wiki.back(mallory, code).status == 303


def test_a_log_in_that_a_victim_was_led_to_start_is_not_ended_by_the_attacker(
    ada: Owner, mallory: Owner, wiki: GuardedHost, site: Site
) -> None:
    """Login CSRF: Mallory has Ada's browser start a log-in, and would end it with Mallory's account."""
    to = wiki.check(mallory).response.headers["Location"]
    at_site = ada.open(to, follow=False).response.headers["Location"]
    handle = to.rpartition("id=")[2]
    assert handle not in at_site, "from now on only the browser that started it knows its name"
    assert expired(mallory.open(f"/hosts/log-in?id={handle}"))
    ada.open(at_site)
    assert wiki.back(ada, code_in(refresh_of(ada))).status == 303
    assert wiki.check(ada).response.headers["Remote-User"] == ada.username
    assert sessions_at_hosts(site) == 1


def test_a_log_in_that_nobody_started_is_not_granted(ada: Owner, mallory: Owner, wiki: GuardedHost, site: Site) -> None:
    """Login CSRF: Mallory would have it granted to Mallory's account, and lead Ada's browser to start it then."""
    mallory.log_in_whole()
    to = wiki.check(mallory).response.headers["Location"]
    assert expired(mallory.open(f"/hosts/log-in?id={to.rpartition('id=')[2]}"))
    assert ada.open(to, follow=False).status == 303
    assert count(site, "SELECT count(*) FROM guarded_logins WHERE granted_at IS NOT NULL") == 0


def test_a_log_in_that_has_started_is_not_started_again(ada: Owner, mallory: Owner, wiki: GuardedHost) -> None:
    """The name that it has then is in an address of the site: who reads it there binds it to no other browser."""
    at_site = ada.open(wiki.check(ada).response.headers["Location"], follow=False).response.headers["Location"]
    handle = at_site.rpartition("id=")[2]
    assert expired(mallory.open(f"{wiki.url}/.nightlatch/start?id={handle}", follow=False))
    ada.open(at_site)
    assert wiki.back(ada, code_in(refresh_of(ada))).status == 303


def test_a_code_of_one_host_is_none_of_another(ada: Owner, wiki: GuardedHost, evil: GuardedHost, site: Site) -> None:
    code = wiki.code(ada)
    for name, value in cookies_of(ada, wiki.host).items():
        evil.give(ada, value, name)
    assert expired(evil.back(ada, code))
    assert sessions_at_hosts(site) == 0
    handle = handle_of(wiki, ada)
    assert expired(ada.open(f"{evil.url}/.nightlatch/start?id={handle}", follow=False))
    assert ada.open(f"{wiki.url}/.nightlatch/start?id={handle}", follow=False).status == 303


def test_log_ins_that_were_begun_keep_nobody_out(ada: Owner, wiki: GuardedHost) -> None:
    """A page of an attacker can open the host again and again, and a browser restores many tabs."""
    for _ in range(25):
        ada.open(wiki.check(ada).response.headers["Location"], follow=False)
    assert len(cookies_of(ada, wiki.host)) == 10
    assert wiki.back(ada, wiki.code(ada)).status == 303
    assert wiki.lets_in(ada)


@pytest.mark.parametrize("wait", [59, 60, 61, -3600])
def test_a_code_is_valid_for_a_minute(ada: Owner, wiki: GuardedHost, site: Site, wait: int) -> None:
    code = wiki.code(ada)
    site.clock.pass_(wait)
    assert expired(wiki.back(ada, code)) == (wait not in range(60))


@pytest.mark.parametrize("code", ["", "0" * 64, "' OR 1=1 --"])
def test_a_forged_code_opens_nothing(ada: Owner, wiki: GuardedHost, code: str) -> None:
    wiki.ask(ada)
    assert expired(wiki.back(ada, code))


def test_a_code_is_worth_nothing_after_its_session(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    for end in (lambda: ada.log_out(), lambda: change(site, Account, locked_at=site.clock.now())):
        code = wiki.code(ada)
        end()
        assert expired(wiki.back(ada, code))
        site.clock.pass_(30)
        if end.__code__.co_names[0] != "change":
            ada.log_in_whole()
    assert sessions_at_hosts(site) == 0


def change(site: Site, table: Any, **values: Any) -> None:
    with site.services.db.write() as tx:
        tx.execute(update(table).values(**values))


# -- The address and the secret ------------------------------------------------------------------------


@pytest.mark.parametrize("proxy", PROXIES)
def test_without_the_secret_there_is_nothing(ada: Owner, wiki: GuardedHost, evil: GuardedHost, proxy: str) -> None:
    wiki.enter(ada)
    assert wiki.lets_in(ada, proxy=proxy)
    for secret in ("x", "0" * 64, evil.secret, wiki.secret.upper(), f"{wiki.secret}x", wiki.app.client_id):
        page = wiki.check(ada, proxy=proxy, secret=secret)
        assert page.status == 404
        assert not any(name in page.response.headers for name in IDENTITY)


def test_of_two_secrets_the_removed_one_is_nothing(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    wiki.enter(ada)
    apps = site.services.operators.apps
    fresh = apps.new_secret(wiki.app.client_id)
    assert wiki.lets_in(ada)
    assert wiki.lets_in(ada, secret=fresh)
    apps.remove_secret(wiki.app.client_id, min(one.id for one in apps.named(wiki.app.client_id).secrets))
    assert wiki.check(ada).status == 404
    assert wiki.lets_in(ada, secret=fresh)


@pytest.mark.parametrize(
    "path",
    ["/forward/", "/forward//", "/forward/nginx", "/forward//nginx/{s}", "/forward/nginx//{s}", "//forward/nginx/{s}"],
)
def test_no_address_redirects_and_none_tells_the_secret(ada: Owner, wiki: GuardedHost, path: str) -> None:
    for method in ("GET", "POST"):
        response = ada.client.open(path.format(s=wiki.secret), method=method, base_url=wiki.url)
        assert response.status_code in (400, 404, 421), response.status_code
        assert "Location" not in response.headers
        assert wiki.secret not in response.get_data(as_text=True)


@pytest.mark.parametrize("proxy", PROXIES)
def test_no_error_tells_the_secret(ada: Owner, wiki: GuardedHost, site: Site, proxy: str) -> None:
    """Caddy and Envoy show the answer to who asked, who may name the host."""
    nowhere = {"X-Original-URL": "", "X-Forwarded-Host": "x"}
    elsewhere = wiki.check(ada, proxy=proxy, host="elsewhere.example", headers=nowhere)
    assert elsewhere.status == 404
    with site.services.db.write() as tx:
        tx.execute(text("ALTER TABLE guarded_sessions RENAME TO gone"))
    try:
        failed = wiki.check(ada, proxy=proxy)
    finally:
        with site.services.db.write() as tx:
            tx.execute(text("ALTER TABLE gone RENAME TO guarded_sessions"))
    assert failed.status >= 500
    for page in (elsewhere, failed):
        assert wiki.secret not in page.text + str(page.response.headers)
        assert "<form" not in page.text


def test_a_check_that_took_too_long_counts_for_nothing(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    wiki.enter(ada)
    settings = site.services.settings
    site.services.settings = replace(settings, policy=replace(settings.policy, guarded_check_seconds=-1))
    page = wiki.check(ada)
    assert page.status == 503
    assert not any(name in page.response.headers for name in IDENTITY)


@pytest.mark.parametrize("target", ["//", "//a", "/a//b", "/a/../b", "/a%2f%2fb", "/", ""])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE", "TRACE"])
def test_what_envoy_appends_changes_no_address(ada: Owner, wiki: GuardedHost, target: str, method: str) -> None:
    page = wiki.check(ada, target, proxy="envoy", method=method)
    assert page.status in (303, 401, 404)
    assert wiki.secret not in page.response.headers.get("Location", "") + page.text


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("host", [HOST, "elsewhere.example", "wiki.localhost:1", "WIKI.localhost", "[::1]", ""])
def test_the_host_that_the_proxy_calls_means_nothing(ada: Owner, wiki: GuardedHost, proxy: str, host: str) -> None:
    """Envoy alone sends the host of the request as Host."""
    wiki.enter(ada)
    headers = {**original(proxy, wiki.host, "/", "GET"), "Cookie": f"nightlatch={wiki.token(ada)}", "Host": host}
    path = f"/forward/{proxy}/{wiki.secret}/"[: None if proxy == "envoy" else -1]
    page = ada.app.test_client(use_cookies=False).get(path, headers=headers)
    same = proxy != "envoy" or host == "WIKI.localhost"
    assert page.status_code == (200 if same else 404)


@pytest.mark.parametrize(
    "told", ["evil.localhost", "wiki.localhost.evil.example", "wiki.localhost:81", "wiki.localhost@evil.localhost", ""]
)
@pytest.mark.parametrize("proxy", ["nginx", "caddy", "traefik"])
def test_the_secret_is_of_one_host(ada: Owner, wiki: GuardedHost, evil: GuardedHost, proxy: str, told: str) -> None:
    wiki.enter(ada)
    wrong = {"X-Original-URL": f"http://{told}/", "X-Forwarded-Host": told}
    assert wiki.check(ada, proxy=proxy, headers=wrong).status == 404


@pytest.mark.parametrize("told", ["WIKI.localhost", "wiki.localhost.", "wiki.localhost:80"])
def test_the_host_is_compared_as_hosts_are(ada: Owner, wiki: GuardedHost, told: str) -> None:
    wiki.enter(ada)
    assert wiki.lets_in(ada, headers={"X-Original-URL": f"http://{told}/"})


def test_each_address_reads_only_what_its_proxy_overwrites(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, rules=("public /open", "deny /closed"))
    stranger = ada.other_browser()
    of_nginx = {"X-Original-URL": f"{wiki.url}/open", "X-Original-Method": "GET", "X-Original-Host": wiki.host}
    of_others = {"X-Forwarded-Uri": "/open", "X-Forwarded-Host": wiki.host, "X-Forwarded-Method": "GET"}
    further = {"X-Rewrite-URL": "/open", "X-HTTP-Method-Override": "GET", "Forwarded": f"host={wiki.host}"}
    assert wiki.check(stranger, "/closed", headers=of_others | further).status == 403
    for proxy in ("caddy", "traefik"):
        assert wiki.check(stranger, "/closed", proxy=proxy, headers=of_nginx | further).status == 403
    assert wiki.check(stranger, "/closed", proxy="envoy", headers=of_nginx | of_others | further).status == 403
    alone = {"X-Original-URL": "", "X-Original-Method": "", **of_others}
    assert wiki.check(stranger, headers=alone).status == 404
    alone = {"X-Forwarded-Uri": "", "X-Forwarded-Host": "", "X-Forwarded-Method": "", **of_nginx}
    assert wiki.check(stranger, proxy="caddy", headers=alone).status == 404


def test_query_parameters_mean_nothing(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, rules=("public /open",))
    for query in ("uri=/open", "rd=/open", "method=GET&secret=x", "next=https://evil.example"):
        response = ada.client.get(
            f"/forward/nginx/{wiki.secret}?{query}",
            base_url=wiki.url,
            headers={"X-Original-URL": f"{wiki.url}/closed", "X-Original-Method": "GET", **SCRIPT},
        )
        assert response.status_code == 401
    assert wiki.enter(ada, "/page?rd=https://evil.example&next=//evil.example") == (
        f"{wiki.url}/page?rd=https://evil.example&next=//evil.example"
    )


@pytest.mark.parametrize(
    "target", ["//evil.example/", "/\\evil.example", "https://evil.example/", "@evil.example", ".evil.example"]
)
def test_a_log_in_never_leads_elsewhere(ada: Owner, wiki: GuardedHost, target: str) -> None:
    page = wiki.check(ada, proxy="caddy", headers={"X-Forwarded-Uri": target})
    wiki.follow(ada, page.response.headers["Location"])
    to = wiki.back(ada, code_in(refresh_of(ada))).response.headers["Location"]
    assert to.startswith(f"{wiki.url}/"), to


# -- What ends a session at a host -------------------------------------------------------------------------


def log_out(ada: Owner, _wiki: GuardedHost) -> None:
    ada.log_out()


def log_out_everywhere(ada: Owner, _wiki: GuardedHost) -> None:
    ada.site.services.accounts.log_out("ada")


def log_out_others(ada: Owner, _wiki: GuardedHost) -> None:
    other = ada.other_browser()
    other.log_in_whole()
    other.open("/settings/security/sessions")
    other.press("Log out all others")


def change_the_password(ada: Owner, _wiki: GuardedHost) -> None:
    other = ada.other_browser()
    other.log_in_whole()
    other.post("/settings/account/password", password=NEW_PASSWORD)


def be_idle(ada: Owner, _wiki: GuardedHost) -> None:
    ada.site.clock.pass_(ada.site.services.settings.policy.session_idle)


def be_locked(ada: Owner, _wiki: GuardedHost) -> None:
    change(ada.site, Account, locked_at=ada.site.clock.now())


def be_deleted(ada: Owner, _wiki: GuardedHost) -> None:
    change(ada.site, Account, delete_at=ada.site.clock.now() + 9)


def be_gone(ada: Owner, _wiki: GuardedHost) -> None:
    with ada.site.services.db.write() as tx:
        tx.execute(delete(Account))


def end_by_sessions(ada: Owner, wiki: GuardedHost) -> None:
    page = ada.open("/settings/security/sessions")
    ada.press(next(button for button in page.buttons if wiki.host in button))


def end_at_host(ada: Owner, wiki: GuardedHost) -> None:
    wiki.log_out(ada)


def have_the_app_made_anew(ada: Owner, wiki: GuardedHost) -> None:
    ada.site.services.operators.apps.delete(wiki.app.client_id)
    anew = GuardedHost(ada.site, wiki.host)
    wiki.app, wiki.secret = anew.app, anew.secret


ENDS = (
    *(log_out, log_out_everywhere, log_out_others, change_the_password, be_idle, be_locked, be_deleted, be_gone),
    *(end_by_sessions, end_at_host, have_the_app_made_anew),
)


@pytest.mark.parametrize("end", ENDS)
def test_the_next_request_is_refused(ada: Owner, wiki: GuardedHost, end: Callable[[Owner, GuardedHost], None]) -> None:
    wiki.enter(ada)
    token = wiki.token(ada)
    assert wiki.lets_in(ada)
    end(ada, wiki)
    wiki.give(ada, token)
    page = wiki.check(ada, headers=SCRIPT)
    assert page.status in (401, 403)
    assert not any(page.response.headers.get(name) for name in IDENTITY)


def test_the_end_of_an_app_ends_what_it_began(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    code = wiki.code(ada)
    wiki.enter(ada)
    have_the_app_made_anew(ada, wiki)
    assert expired(wiki.back(ada, code))
    assert count(site, "SELECT count(*) FROM guarded_sessions") == 0
    assert count(site, "SELECT count(*) FROM guarded_logins") == 0
    site.services.operators.apps.delete(wiki.app.client_id)
    assert ada.open(f"{wiki.url}/.nightlatch/log-out").status == 404


def test_a_session_of_a_host_lasts_as_long_as_that_of_the_site(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    """Each request extends both, up to the total of the site's."""
    wiki.enter(ada)
    policy = site.services.settings.policy
    passed = 0
    while passed + policy.session_idle // 2 < policy.session_total:
        assert wiki.lets_in(ada), passed
        site.clock.pass_(policy.session_idle // 2)
        passed += policy.session_idle // 2
    site.clock.pass_(policy.session_idle // 2)
    assert not wiki.lets_in(ada)


# -- Who may, and with what proof ------------------------------------------------------------------------


def test_who_left_the_group_may_no_more(ada: Owner, site: Site) -> None:
    groups = site.services.operators.groups
    for name in ("staff", "admins", "others"):
        groups.create(name)
        groups.add(name, "ada")
    wiki = GuardedHost(site, groups=("staff", "admins"), rules=("public /open",))
    wiki.enter(ada)
    assert wiki.check(ada).response.headers["Remote-Groups"] == "admins,staff", "not those that the app does not name"
    groups.remove("admins", "ada")
    assert wiki.check(ada).response.headers["Remote-Groups"] == "staff"
    groups.remove("staff", "ada")
    page = wiki.check(ada)
    assert (page.status, page.h1) == (403, "You can't use Wiki")
    page = wiki.check(ada, "/open")
    assert page.status == 200
    assert not any(page.response.headers[name] for name in IDENTITY)
    assert wiki.check(ada.other_browser(), headers=SCRIPT).status == 401


def test_without_a_confirmed_address_only_members_enter(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    open_to_all = GuardedHost(site)
    assert open_to_all.ask(bob).status == 403
    site.services.operators.groups.create("staff")
    site.services.operators.groups.add("staff", "bob")
    wiki = GuardedHost(site, "staff.localhost", groups=("staff",))
    wiki.enter(bob)
    assert wiki.check(bob).response.headers["Remote-Email"] == ""


def test_who_may_no_more_gets_no_session_of_a_code(ada: Owner, site: Site) -> None:
    groups = site.services.operators.groups
    groups.create("staff")
    groups.add("staff", "ada")
    wiki = GuardedHost(site, groups=("staff",))
    code = wiki.code(ada)
    groups.remove("staff", "ada")
    assert expired(wiki.back(ada, code))


@pytest.mark.parametrize("proof", [TWO_FACTOR, KEY])
def test_a_proof_that_is_too_weak_is_not_enough(site: Site, proof: str) -> None:
    bob = Owner.signed_up(site, "bob")
    wiki = GuardedHost(site, rules=(f"{proof} /admin",))
    wiki.enter(bob)
    assert wiki.lets_in(bob)
    for target in ("/admin", "/admin/", "/ADMIN/x", "/x/%2e%2e/admin", "/admin%2fx", "/x;a", "/./admin", "//admin"):
        page = wiki.check(bob, target)
        assert page.status == 401, target
        assert not any(page.response.headers.get(name) for name in IDENTITY)
        assert wiki.check(bob, target, headers=SCRIPT).response.headers.get("Location") is None


def test_a_second_factor_is_no_key(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, rules=("two-factor /admin", "key /vault"))
    wiki.enter(ada)
    assert wiki.lets_in(ada, "/admin")
    assert not wiki.lets_in(ada, "/vault")
    assert wiki.ask(ada, "/vault").h1 == "Wiki needs a security key"


def test_a_proof_that_is_too_old_is_not_enough(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, max_age=600)
    wiki.enter(ada)
    site.clock.pass_(500)
    assert wiki.lets_in(ada)
    site.clock.pass_(200)
    assert not wiki.lets_in(ada)
    assert wiki.ask(ada).h1 == "Enter your password"


def test_an_old_second_factor_is_not_made_younger_by_the_password(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, max_age=900)
    wiki.enter(ada)
    site.clock.pass_(660)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    site.clock.pass_(300)
    assert not wiki.lets_in(ada)


def test_an_old_proof_of_a_key_is_not_made_younger_by_another_factor(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, proof=KEY, max_age=600)
    ada.turn_on_key()
    wiki.enter(ada)
    assert wiki.lets_in(ada)
    site.clock.pass_(660)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    ada.press("Verify", code=ada.next_code())
    assert not wiki.lets_in(ada)
    assert wiki.ask(ada).h1 == "Use your security key"


def test_a_maximum_age_of_nothing_asks_at_each_log_in(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, max_age=0)
    site.clock.pass_(5)
    assert wiki.ask(ada).h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    ada.press("Verify", code=ada.next_code())
    wiki.go_back(ada)
    site.clock.pass_(60)
    assert wiki.lets_in(ada)
    wiki.log_out(ada)
    wiki.ask(ada)
    assert ada.page.h1 == "Enter your password"


RULES = ("public /open", "public GET /api/status", "deny /closed", "two-factor /admin")


@pytest.mark.parametrize("proxy", PROXIES)
def test_rules_judge_the_raw_target(ada: Owner, site: Site, proxy: str) -> None:
    wiki = GuardedHost(site, rules=RULES)
    stranger = ada.other_browser()
    for target in ("/open", "/open/a?b=%2f..//;", "/open/%C3%A9"):
        assert wiki.lets_in(stranger, target, proxy=proxy), target
    for target in (
        *("/open/../a", "/open/%2e%2e/a", "/open%2fa", "/open//a", "/open;a", "/open/./a", "/ope%6e/a", "/OPEN/a"),
        *("/openx", "/open/%zz", "/open/%", "/?/open", "/page?/open", "/api/status/../x"),
    ):
        page = wiki.check(stranger, target, proxy=proxy, headers=SCRIPT)
        assert page.status == 401, target
    assert wiki.lets_in(stranger, "/api/status", proxy=proxy)
    assert wiki.lets_in(stranger, "/api/status", proxy=proxy, method="HEAD")
    assert not wiki.lets_in(stranger, "/api/status", proxy=proxy, method="POST")


@pytest.mark.parametrize("proxy", PROXIES)
def test_what_is_denied_is_denied_to_all(ada: Owner, site: Site, proxy: str) -> None:
    wiki = GuardedHost(site, rules=RULES)
    wiki.enter(ada)
    for person in (ada, ada.other_browser()):
        for target in ("/closed", "/closed/a", "/CLOSED"):
            page = wiki.check(person, target, proxy=proxy, headers={"Authorization": basic("ada", ada.password)})
            assert page.status == 403, target
            assert not any(page.response.headers.get(name) for name in IDENTITY)


# -- Authorization -----------------------------------------------------------------------------------------


@pytest.fixture
def bob(site: Site) -> Owner:
    """A user without a second factor, logged out."""
    bob = Owner.signed_up(site, "bob")
    bob.log_out()
    return bob


def with_password(wiki: GuardedHost, name: str, password: str, target: str = "/", **more: Any) -> Page:
    client = Owner(wiki.site, name, address="198.51.100.7")
    return wiki.check(client, target, headers={**SCRIPT, "Authorization": basic(name, password)}, **more)


def test_an_authorization_header_counts_only_where_it_is_allowed(bob: Owner, site: Site) -> None:
    wiki = GuardedHost(site)
    assert with_password(wiki, "bob", bob.password).status == 401
    old = GuardedHost(site, "old.localhost", authorization_allowed=True, max_age=600)
    assert with_password(old, "bob", bob.password).status == 401, "it does not tell when it was proved"
    allowing = GuardedHost(site, "allowing.localhost", authorization_allowed=True, rules=RULES)
    page = with_password(allowing, "bob", bob.password)
    assert (page.status, page.response.headers["Remote-User"]) == (200, "bob")
    assert with_password(allowing, "bob", bob.password, "/admin").status == 401
    assert with_password(allowing, "bob", bob.password, "/closed").status == 403
    assert live_sessions(site, "bob") == 0
    assert sessions_at_hosts(site) == 0


def test_a_temporary_password_counts_and_the_usual_one_does_not(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, authorization_allowed=True)
    assert with_password(wiki, "ada", ada.password).status == 401
    page = ada.post(TEMPORARY_PASSWORD)
    found = page.soup.find(attrs={"data-copy": True})
    assert found is not None
    page = with_password(wiki, "ada", str(found["data-copy"]))
    assert (page.status, page.response.headers["Remote-User"]) == (200, "ada")
    site.clock.pass_(3601 + 60)
    assert with_password(wiki, "ada", str(found["data-copy"])).status == 401


def test_wrong_passwords_are_counted(bob: Owner, site: Site) -> None:
    wiki = GuardedHost(site, authorization_allowed=True)
    answers = [with_password(wiki, "bob", f"wrong password {number}") for number in range(40)]
    assert answers[0].status == 401
    assert "Location" not in answers[0].response.headers
    assert answers[-1].status == 429
    assert answers[-1].response.headers["Retry-After"]
    assert with_password(wiki, "bob", bob.password).status == 429


@pytest.mark.parametrize("proxies", [0, 1, 2, 3])
def test_attempts_count_by_the_address_that_the_proxy_saw(bob: Owner, site: Site, proxies: int) -> None:
    """Whatever a client writes before it, and however many other proxies the site has in front."""
    site.services.settings = replace(site.services.settings, trusted_proxies=proxies)
    wiki = GuardedHost(site, authorization_allowed=True)
    client, inner = bob.other_browser(), ["10.0.0.1"] * (proxies - 1)

    def tried(*entries: str, password: str = "a wrong password") -> int:
        headers = {**SCRIPT, "Authorization": basic("bob", password), "X-Forwarded-For": ", ".join(entries)}
        return wiki.check(client, headers=headers).status

    for number in range(40):
        tried(f"203.0.{number}.9", "198.51.100.1", *inner, password=f"wrong password {number}")
    assert tried("203.0.113.9", "198.51.100.1", *inner) == 429
    assert tried("198.51.100.1") == 429, "the proxy of the host alone wrote it"
    assert tried("198.51.100.1", "192.0.2.1", *inner) == 401
    assert tried("192.0.2.2", password=bob.password) == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic x",
        "Basic é",
        f"Basic {'x' * 9000}",
        "Digest x",
        "Bearer x",
        f"Bearer {'0' * 64}",
        "Negotiate",
    ],
)
def test_another_authorization_header_is_wrong(bob: Owner, site: Site, header: str) -> None:
    wiki = GuardedHost(site, authorization_allowed=True)
    page = wiki.check(bob.other_browser(), headers={**SCRIPT, "Authorization": header.encode().decode("latin-1")})
    assert page.status == 401
    assert not any(page.response.headers.get(name) for name in IDENTITY)


def test_the_token_of_an_app_counts_until_it_ends(bob: Owner, site: Site) -> None:
    wiki = GuardedHost(site, authorization_allowed=True)
    bearer = {**SCRIPT, "Authorization": f"Bearer {App(site).token('bob', bob.password)}"}
    page = wiki.check(bob.other_browser(), headers=bearer)
    assert (page.status, page.response.headers["Remote-User"]) == (200, "bob")
    change(site, AppSession, ended_at=site.clock.now())
    assert wiki.check(bob.other_browser(), headers=bearer).status == 401


def test_a_password_that_was_right_a_moment_ago_is_refused_at_once(ada: Owner, bob: Owner, site: Site) -> None:
    """What is right is cached for some seconds, and judged anew each time."""
    wiki = GuardedHost(site, authorization_allowed=True)
    found = ada.post(TEMPORARY_PASSWORD).soup.find(attrs={"data-copy": True})
    assert found is not None
    temporary = str(found["data-copy"])
    assert [with_password(wiki, "ada", temporary).status for _ in range(2)] == [200, 200]
    change(site, TemporaryPassword, ended_at=site.clock.now())
    assert with_password(wiki, "ada", temporary).status == 401

    assert [with_password(wiki, "bob", bob.password).status for _ in range(2)] == [200, 200]
    change(site, Account, locked_at=site.clock.now())
    assert with_password(wiki, "bob", bob.password).status == 401
    change(site, Account, locked_at=None)
    assert with_password(wiki, "bob", bob.password).status == 200
    bob.log_in()
    bob.turn_on_app()
    assert with_password(wiki, "bob", bob.password).status == 401, "with a second factor it is no password for apps"


def test_a_changed_password_is_refused_at_once(bob: Owner, site: Site) -> None:
    wiki = GuardedHost(site, authorization_allowed=True)
    assert with_password(wiki, "bob", bob.password).status == 200
    bob.log_in()
    bob.post("/settings/account/password", password=NEW_PASSWORD)
    assert with_password(wiki, "bob", bob.password).status == 401
    assert with_password(wiki, "bob", NEW_PASSWORD).status == 200


def test_a_password_that_is_still_known_opens_nothing_without_its_account(bob: Owner, site: Site) -> None:
    wiki = GuardedHost(site, authorization_allowed=True)
    assert with_password(wiki, "bob", bob.password).status == 200
    with site.services.db.write() as tx:
        tx.execute(delete(Account))
    assert with_password(wiki, "bob", bob.password).status == 401


def test_a_token_of_who_may_not_use_the_app_is_forbidden(bob: Owner, site: Site) -> None:
    site.services.operators.groups.create("staff")
    wiki = GuardedHost(site, authorization_allowed=True, groups=("staff",))
    assert with_password(wiki, "bob", bob.password).status == 403
    site.services.operators.groups.add("staff", "bob")
    page = with_password(wiki, "bob", bob.password)
    assert (page.status, page.response.headers["Remote-Groups"]) == (200, "staff")


# -- Bounds ------------------------------------------------------------------------------------------------


def test_log_ins_that_one_network_begins_are_bounded(
    ada: Owner, wiki: GuardedHost, site: Site, overrides: dict[str, Any]
) -> None:
    most = site.services.settings.policy.guarded_logins.most
    checks = site.services.guarded.checks
    for _ in range(most):
        checks.logins.begin(wiki.app, "/", "password", Origin("203.0.113.9"))
    stranger = ada.other_browser(address="203.0.113.9")
    page = wiki.check(stranger)
    assert (page.status, page.h1) == (429, "Too many attempts"), "browsers see it behind Caddy, Traefik and Envoy"
    assert wiki.secret not in page.text
    assert f"style-src {wiki.url}/" in page.response.headers["Content-Security-Policy"]
    assert int(page.response.headers["Retry-After"]) > 0
    assert wiki.check(stranger, headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}).status == 429
    assert wiki.check(stranger, headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.1"}).status == 401
    assert wiki.check(stranger, headers=SCRIPT).status == 401, "what is no navigation begins nothing"
    assert wiki.check(ada).status == 401
    assert count(site, "SELECT count(*) FROM guarded_logins") == most + 2
    site.clock.pass_(700)
    site.services.maintenance.purge()
    assert count(site, "SELECT count(*) FROM guarded_logins") == 0


def test_a_path_of_any_length_leads_back_or_to_the_first_page(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    most = site.services.settings.policy.guarded_path_characters
    assert wiki.enter(ada, "/" + "x" * (most - 1)) == f"{wiki.url}/{'x' * (most - 1)}"
    wiki.log_out(ada)
    wiki.ask(ada, "/" + "x" * most)
    ada.press("Continue")
    assert wiki.go_back(ada) == f"{wiki.url}/"


@one_database
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_only_a_navigation_is_led_to_a_log_in(ada: Owner, wiki: GuardedHost, proxy: str, method: str) -> None:
    page = wiki.check(ada, proxy=proxy, method=method, headers=SCRIPT if method == "POST" else {})
    assert page.status == 401
    assert "Location" not in page.response.headers
    for led in ("GET", "HEAD", "POST"):
        page = wiki.check(ada, proxy=proxy, method=led)
        assert page.status == (401 if proxy == "nginx" else 303)
        assert page.response.headers["Location"].startswith(f"{wiki.url}/.nightlatch/start?id=")
        assert page.response.headers["Cache-Control"] == "no-store"


# -- Log-out -----------------------------------------------------------------------------------------------


def test_an_agreement_after_a_log_out_is_not_another_accounts(
    ada: Owner, mallory: Owner, wiki: GuardedHost, site: Site
) -> None:
    """The handle is in an address, so another session can open its page; its agreement is its own."""
    wiki.enter(ada)
    wiki.log_out(ada)
    assert wiki.ask(ada).h1 == "Log in to Wiki"
    handle = ada.page.response.request.url.rpartition("=")[2]
    mallory.log_in_whole()
    logins = site.services.guarded.logins
    logins.agree(logins.find(handle), user_of(site, mallory))
    assert ada.open(f"/hosts/log-in?id={handle}").h1 == "Log in to Wiki", "Ada did not agree"
    ada.press("Continue")
    assert wiki.go_back(ada) == f"{wiki.url}/"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "http://nightlatch.localhost:5000", "http://evil.localhost"]
)
def test_a_form_of_another_origin_logs_nobody_out(ada: Owner, wiki: GuardedHost, origin: str) -> None:
    wiki.enter(ada)
    page = wiki.log_out(ada, origin)
    assert (page.status, page.h1) == (403, "Log out of Wiki?")
    assert wiki.lets_in(ada)
    assert ada.open(f"{wiki.url}/.nightlatch/log-out", follow=False).status == 200
    assert wiki.lets_in(ada), "a mere look at the page ends nothing"
    headers = {"Origin": wiki.url, "Sec-Fetch-Site": "same-site"}
    assert ada.client.post("/.nightlatch/log-out", base_url=wiki.url, headers=headers).status_code == 403


def test_a_log_out_without_a_session_says_the_same(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    before = count(site, "SELECT count(*) FROM activity")
    assert wiki.log_out(ada.other_browser()).says("You've been logged out.")
    assert count(site, "SELECT count(*) FROM activity") == before


# -- What a guarded host has of Nightlatch -------------------------------------------------------------------


def test_a_guarded_host_has_four_pages_a_style_sheet_and_nothing_else(ada: Owner, wiki: GuardedHost) -> None:
    wiki.enter(ada)
    for path in (
        "/",
        "/log-in",
        "/settings",
        "/.nightlatch/",
        "/.nightlatch/start/",
        "/.nightlatch/x",
        "/static/js/site.js",
        "/oauth/keys",
    ):
        response = ada.client.get(path, base_url=wiki.url)
        assert response.status_code in (400, 404, 421), path
    for path in ("/.nightlatch//start", "//.nightlatch/start", "/.NIGHTLATCH/start", "/.nightlatch/forbidden/x"):
        assert ada.client.get(path, base_url=wiki.url).status_code in (400, 404, 421), path
    for page in ("start", "back", "log-out", "forbidden"):
        for host in (HOST, "elsewhere.example", f"mobile.{HOST}"):
            assert ada.client.get(f"/.nightlatch/{page}", base_url=f"http://{host}").status_code == 404, (page, host)
        response = ada.client.get(f"/.nightlatch/{page}", base_url=wiki.url)
        assert response.status_code == {"log-out": 200, "forbidden": 403}.get(page, 400)
        text = response.get_data(as_text=True)
        assert "<script" not in text
        assert text.count("<link") == text.count('<link rel="stylesheet" href="/.nightlatch/style.css?v=') == 1
        policy = response.headers["Content-Security-Policy"]
        assert policy == (
            f"default-src 'none'; style-src {wiki.url}/.nightlatch/style.css; form-action 'self'; base-uri 'none';"
            " frame-ancestors 'none'"
        )
        assert "session" not in response.headers.get("Set-Cookie", "")
        assert response.headers["Cache-Control"] == "no-store"


def test_a_guarded_host_decides_about_https_itself(
    ada: Owner, wiki: GuardedHost, site: Site, tmp_path: Path, overrides: dict[str, Any]
) -> None:
    environ = {
        "NIGHTLATCH_SERVER_NAME": "login.example.org",
        "NIGHTLATCH_DATABASE_URL": site.services.settings.database_url,
        "NIGHTLATCH_SECRET_KEY": "0123456789abcdef" * 4,
        "NIGHTLATCH_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    }
    secure = create_app(Settings.read(environ, tmp_path / "other"), clock=site.clock, **overrides)
    for path in ("/.nightlatch/log-out", "/.nightlatch/forbidden", "/.nightlatch/start?id=x", "/forward/nginx/x"):
        response = secure.test_client().get(path, base_url=f"https://{wiki.host}")
        assert "Strict-Transport-Security" not in response.headers, path
    response = secure.test_client().get("/log-in", base_url="https://login.example.org")
    assert "Strict-Transport-Security" in response.headers


def test_identity_headers_are_always_all_five_and_in_utf_8(site: Site) -> None:
    zoe = Owner.signed_up(site, "zoe")
    change(site, Account, name="Zoë \u202e李\r\nRemote-User: root")
    wiki = GuardedHost(site, rules=("public /open",))
    stranger = wiki.check(zoe.other_browser(), "/open").response.headers
    assert [stranger[name] for name in IDENTITY] == [""] * len(IDENTITY)
    wiki.enter(zoe)
    for target in ("/open", "/"):
        headers = wiki.check(zoe, target).response.headers
        assert headers["Remote-Name"].encode("latin-1").decode() == "Zoë 李 Remote-User: root"
        assert [name for name in IDENTITY if name not in headers] == []
        assert headers.getlist("Remote-User") == ["zoe"]
        assert headers["Remote-Groups"] == ""
        assert headers["Nightlatch-Assertion"].count(".") == 2


def test_an_account_is_not_found_by_its_sessions_row_alone(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    """The session at the host is only as good as the one of the site that it names."""
    wiki.enter(ada)
    change(site, Session, ended_at=site.clock.now())
    assert not wiki.lets_in(ada)
    assert account_id(site)
