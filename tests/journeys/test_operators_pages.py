"""The operator's pages: who sees them, groups, and apps with their secrets."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from bs4 import Tag
from sqlalchemy import insert, select, update
from structlog.testing import capture_logs

from tests.attacks.tools import old_token
from tests.conftest import Site
from tests.journeys.test_keys_and_passkeys import with_passkey
from tests.people import ANDROID, DESKTOP, Owner, Page
from webapp.domain.codes import hash_of
from webapp.models.accounts import Account
from webapp.models.groups import Membership
from webapp.models.registered_apps import AppSecret, RegisteredApp
from webapp.models.sessions import Session
from webapp.services.guarded.configurations import configuration
from webapp.services.operators import AppOptions
from webapp.services.operators.app_options import OF_KIND

APPS, GROUPS, ACCOUNTS = "/operator/apps", "/operator/groups", "/operator/accounts"
CALLBACK = "https://wiki.example.org/callback"
KEY_PAGE = "Use your security key"
PUBLIC_KEYS = '{"keys": [{"kty": "RSA", "n": "AA", "e": "AQAB"}]}'
RULES = ("public GET /assets", "deny /internal", "key /admin")

each_way = pytest.mark.parametrize(
    ("layout", "htmx"), [(DESKTOP, False), (DESKTOP, True), (ANDROID, False), (ANDROID, True)]
)


def operator(site: Site, **options: Any) -> Owner:
    """Ada, who is an operator and has just used her key."""
    ada = Owner.signed_up(site, **options)
    ada.turn_on_key()
    site.services.operators.roles.promote("ada")
    return ada


@pytest.fixture
def ada(site: Site) -> Owner:
    return operator(site)


def add_app(ada: Owner, **fields: str) -> Page:
    ada.open(f"{APPS}/new")
    return ada.press("Add", **{"name": "Wiki", "redirect_uris": CALLBACK, **fields})


def guarded(site: Site) -> str:
    """The client id of a guarded host with rules."""
    options = AppOptions("Files", host="files.example.org", proof="two-factor", rules=RULES)
    return site.services.operators.apps.create("guarded", options).app.client_id


def secret_region(page: Page) -> Tag | None:
    return page.soup.find("section", attrs={"aria-label": "Client secret"})


def secret_on(page: Page) -> str:
    region = secret_region(page)
    assert region is not None
    found = re.search(r"[0-9a-f]{64}", region.get_text())
    assert found
    return found[0]


def only_app(site: Site) -> str:
    (app,) = site.services.operators.apps.all()
    return app.client_id


# -- Who sees them -----------------------------------------------------------------------------------


PAGES = (
    "/operator",
    ACCOUNTS,
    f"{ACCOUNTS}/ada",
    f"{ACCOUNTS}/ada/lock",
    "/operator/invitations",
    "/operator/messages",
    "/operator/messages/test",
    APPS,
    f"{APPS}/new",
    GROUPS,
    f"{GROUPS}/staff",
    f"{GROUPS}/staff/delete",
)


def test_people_find_no_page_and_no_link(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.turn_on_key()
    for path in PAGES:
        assert (bob.open(path).status, bob.open(path).h1) == (404, "Page not found")
    assert bob.post(GROUPS, name="staff").status == 404
    assert "Operator" not in bob.open("/settings").links
    assert Owner(site, "stranger").open("/operator").path == "/log-in"


@each_way
def test_an_operator_without_a_key_is_led_to_its_enrollment(site: Site, layout: str, htmx: bool) -> None:
    ada = Owner.signed_up(site, layout=layout, htmx=htmx)
    site.services.operators.roles.promote("ada")
    ada.open("/settings")
    page = ada.follow("Operator")
    assert (page.status, page.h1) == (403, "Operator")
    assert page.says("These pages need a security key or passkey. You don't have one yet.")
    assert ada.follow("Add a security key").h1 == "Security key"
    ada.press("Start")
    ada.key = ada.new_key()
    ada.press("Use security key", credential=ada.key.create(ada.page.options()))
    ada.press("Save", name="Blue key")
    assert ada.press("Got it").h1 == "Operator"
    assert ada.page.path == "/operator"
    ada.turn_on_key(ada.new_key(), "Red key")
    assert ada.page.h1 == "Manage security keys", "it leads back once"


@pytest.mark.parametrize("other", [True, False], ids=["another-method", "half-an-hour-later"])
def test_an_enrollment_that_was_left_leads_back_nowhere(site: Site, other: bool) -> None:
    ada = Owner.signed_up(site)
    site.services.operators.roles.promote("ada")
    ada.open("/operator")
    ada.follow("Add a security key")
    if other:
        ada.turn_on_app()
        assert ada.press("Got it").h1 == "Two-factor authentication"
        return
    site.clock.pass_(1800)
    ada.turn_on_key()
    assert ada.press("Got it").h1 == "Manage security keys"


def test_each_act_needs_the_key_itself_within_ten_minutes(site: Site, ada: Owner) -> None:
    ada.press("Got it")
    assert ada.open("/operator").h1 == "Operator"
    ada.turn_on_app()
    site.clock.pass_(600)
    page = ada.open(f"{GROUPS}")
    assert page.h1 == "Enter your password"
    assert ada.press("Verify", password=ada.password).h1 == KEY_PAGE, "although the app was used last"
    assert ada.use_key().h1 == "Groups"
    site.clock.pass_(599)
    assert ada.open(GROUPS).h1 == "Groups"
    site.clock.pass_(1)
    assert ada.open(GROUPS).h1 == "Enter your password"


def test_another_method_is_not_enough(site: Site, ada: Owner) -> None:
    ada.press("Got it")
    ada.turn_on_app()
    site.clock.pass_(660)
    ada.open(GROUPS)
    ada.press("Verify", password=ada.password)
    ada.open("/step-up/verify?method=authentication-app&next=/operator/groups")
    assert ada.press("Verify", code=ada.next_code()).h1 == KEY_PAGE
    assert ada.use_key().h1 == "Groups"


def test_a_form_that_was_sent_too_late_is_sent_again_after_the_key(site: Site, ada: Owner) -> None:
    ada.press("Got it")
    ada.open(GROUPS)
    site.clock.pass_(660)
    assert ada.press("Add a group", name="staff").h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    assert ada.use_key().h1 == "staff"
    assert [row.name for row in site.services.operators.groups.all()] == ["staff"]


def test_a_form_of_an_old_page_is_shown_again_after_the_key(site: Site, ada: Owner) -> None:
    ada.open(f"{APPS}/new")
    site.clock.pass_(700)
    ada.press("Add", name="Wiki", redirect_uris=CALLBACK, csrf_token=old_token(site, ada))
    ada.press("Verify", password=ada.password)
    page = ada.use_key()
    assert (page.status, page.h1) == (422, "Add an app")
    assert page.problems == ["This page was out of date. Nothing was changed. Try again."]
    assert page.field("Redirect addresses").get_text().strip() == CALLBACK
    assert site.services.operators.apps.all() == []
    assert ada.press("Add").receipts == ["You added the app Wiki."]


def test_a_passkey_log_in_is_enough(site: Site, ada: Owner) -> None:
    ada.press("Got it")
    ada.log_out()
    assert ada.key is not None
    with_passkey(ada, ada.key)
    assert ada.open("/operator").h1 == "Operator"


def test_a_former_operator_finds_no_page(site: Site, ada: Owner) -> None:
    Owner.signed_up(site, "bob")
    site.services.operators.roles.promote("bob")
    assert ada.open("/operator").status == 200
    site.services.operators.roles.demote("ada")
    assert ada.open("/operator").status == 404


# -- Groups ------------------------------------------------------------------------------------------


@each_way
def test_groups_get_members_and_are_deleted(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    Owner(site, "bob").sign_up()
    ada.open("/operator")
    page = ada.follow("Groups")
    assert page.says("There are no groups yet.")
    page = ada.press("Add a group", name="staff")
    assert (page.h1, page.receipts) == ("staff", ["You added the group staff."])
    assert page.says("No one is in this group yet.")
    page = ada.press("Add", username="@Bob")
    assert page.receipts == ["You added @bob to the group staff."]
    assert ada.press("Add", username="bob").receipts == [], "nothing has changed"
    page = ada.press("Add", username="ada")
    assert [button for button in page.buttons if button.startswith("Remove")] == ["Remove ada", "Remove bob"]
    page = ada.press("Remove bob")
    assert page.receipts == ["You removed @bob from the group staff."]
    page = ada.open(GROUPS)
    assert page.says("1 member")
    ada.follow("staff")
    page = ada.follow("Delete staff")
    assert page.h1 == "Delete staff"
    page = ada.press("Delete")
    assert (page.h1, page.receipts) == ("Groups", ["You deleted the group staff."])
    assert site.services.operators.groups.all() == []
    assert ada.open("/settings/security/activity").says("You removed @bob from the group staff.")


def test_what_a_group_cannot_have_is_said_beside_the_field(site: Site, ada: Owner) -> None:
    ada.open(GROUPS)
    page = ada.press("Add a group", name="Staff 1")
    assert (page.status, page.problems) == (422, ["Use 1 to 40 lowercase letters (a to z), numbers, and dashes."])
    ada.press("Add a group", name="staff")
    ada.open(GROUPS)
    page = ada.press("Add a group", name="staff")
    assert page.problems == ["There's already a group with that name. Choose another name."]
    ada.open(f"{GROUPS}/staff")
    page = ada.press("Add", username="nobody")
    assert (page.status, page.problems) == (422, ["No account has that username."])
    assert ada.open(f"{GROUPS}/board").status == 404
    assert ada.post(f"{GROUPS}/staff", remove="ada").receipts == []


def test_a_group_that_an_app_needs_is_not_deleted(site: Site, ada: Owner) -> None:
    site.services.operators.groups.create("staff")
    site.services.operators.apps.create("web", AppOptions("Wiki", redirect_uris=(CALLBACK,), groups=("staff",)))
    ada.open(f"{GROUPS}/staff/delete")
    page = ada.press("Delete")
    assert page.status == 422
    assert page.problems == ["This group decides who can use these apps: Wiki. Change the apps first."]


# -- Apps --------------------------------------------------------------------------------------------


@each_way
def test_an_app_is_added_and_its_secret_is_shown_once(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    site.services.operators.groups.create("staff")
    ada.open("/operator")
    page = ada.follow("Apps")
    assert page.says("There are no apps yet.")
    page = ada.follow("Add an app")
    assert page.h1 == "Add an app"
    page = ada.press("Add", name="Wiki", redirect_uris=f"{CALLBACK}\n\n{CALLBACK}", proof="key", **{"group-staff": "y"})
    assert (page.h1, page.receipts) == ("Connect Wiki", ["You added the app Wiki."])
    stored = site.services.operators.apps.named(only_app(site))
    assert hash_of(secret_on(page)) == stored.secrets[0].secret_hash
    assert page.says(stored.app.client_id)
    assert page.soup.find(attrs={"data-copy": stored.app.client_id})
    assert page.says(f"http://{ada.site.services.settings.main_host}/oauth/token")
    assert (stored.options.redirect_uris, stored.options.groups, stored.options.proof) == (
        (CALLBACK,),
        ("staff",),
        "key",
    )
    page = ada.open(page.path)
    assert secret_on(page), "a reload shows it again"
    ada.open(APPS)
    page = ada.open(f"{APPS}/{stored.app.client_id}/connect")
    assert secret_region(page) is None
    page = ada.open(APPS)
    assert page.says("Not used yet")
    assert ada.follow("Wiki").h1 == "Wiki"


def test_a_public_app_has_an_id_and_no_secret(site: Site, ada: Owner) -> None:
    page = add_app(ada, kind="public", redirect_uris="com.example.notes:/callback")
    assert page.h1 == "Connect Wiki"
    assert secret_region(page) is None
    page = ada.open(f"{APPS}/{only_app(site)}")
    assert "New secret" not in page.buttons
    assert page.soup.find(attrs={"name": "pkce_demanded"}) is None
    assert page.field("Web origins") is not None
    assert ada.post(f"{APPS}/{only_app(site)}/new-secret").problems == ["This app doesn't have client secrets."]


def test_what_an_app_cannot_have_is_said_beside_the_field(site: Site, ada: Owner) -> None:
    page = add_app(ada, redirect_uris="http://wiki.example.org/")
    assert page.status == 422
    assert page.problems == ["Use an address that starts with https: http://wiki.example.org/."]
    assert page.field("Redirect addresses").get_text().strip() == "http://wiki.example.org/"
    assert add_app(ada, redirect_uris="").problems == ["Enter at least one redirect address."]
    assert add_app(ada, name="").problems == ["Enter a name."]
    page = add_app(ada, kind="guarded", host="")
    assert page.problems == ["Enter the host of the app."]
    assert page.soup.find(id="host-error") is not None
    assert ada.post(f"{APPS}/new", name="Wiki", kind="web").status == 422, "fields that are left out"
    assert site.services.operators.apps.all() == []


@pytest.mark.parametrize("kind", ["web", "guarded"])
def test_a_form_that_is_sent_twice_adds_one_app(site: Site, ada: Owner, kind: str) -> None:
    page, typed = ada.open(f"{APPS}/new"), {"name": "Wiki", "redirect_uris": CALLBACK, "host": "wiki.example.org"}
    first = ada.press("Add", kind=kind, **typed)
    ada.page = page
    again = ada.press("Add", kind=kind, **typed)
    assert (first.status, again.status, again.path) == (200, 200, first.path)
    assert again.problems == ["That's already done, maybe in another tab. Here's the current status."]
    assert only_app(site) in first.path
    assert add_app(ada, kind="public", client_id="mine").path != first.path, "one that we did not draw is not used"
    assert "mine" not in [app.client_id for app in site.services.operators.apps.all()]


def test_every_wrong_field_of_a_new_app_is_named_at_once(site: Site, ada: Owner) -> None:
    page = add_app(ada, name="", redirect_uris="")
    assert (page.status, page.problems) == (422, ["Enter a name.", "Enter at least one redirect address."])
    assert [page.link(problem) for problem in page.problems] == ["#name", "#redirect_uris"]
    page = add_app(ada, name="", kind="guarded", host="*.example.org", sector="a b")
    assert page.problems == [
        "Enter a name.",
        "This isn't a host like files.example.com: *.example.org.",
        "This isn't a host like files.example.com: a b.",
    ]
    assert "Choose the kind of app." in add_app(ada, name="", kind="", redirect_uris="").problems
    assert site.services.operators.apps.all() == []


def test_every_wrong_field_of_a_changed_app_is_named_at_once(site: Site, ada: Owner) -> None:
    add_app(ada)
    ada.open(f"{APPS}/{only_app(site)}")
    typed = {
        "redirect_uris": "ftp://a",
        "resources": "b",
        "max_age": "ten",
        "jwks": "{",
        "jwks_uri": "http://c.example",
    }
    page = ada.press("Save", name=" ", **typed)
    assert (page.status, [page.link(problem) for problem in page.problems]) == (
        422,
        ["#name", "#max_age", "#redirect_uris", "#resources", "#jwks", "#jwks_uri"],
    )
    for label, text in (
        ("Maximum age of the proof in seconds", "ten"),
        ("Address of the public keys", "http://c.example"),
    ):
        assert page.field(label)["value"] == text
    assert page.field("Public keys of the app").get_text().strip() == "{"
    assert site.services.operators.apps.all()[0].name == "Wiki"


def test_a_group_that_is_deleted_while_an_app_is_added_does_not_open_it_to_everyone(site: Site, ada: Owner) -> None:
    groups = site.services.operators.groups
    groups.create("staff")
    ada.open(f"{APPS}/new")
    groups.delete("staff")
    page = ada.press("Add", name="Wiki", redirect_uris=CALLBACK, **{"group-staff": "y"})
    assert (page.status, page.problems) == (422, ["There's no group staff. Add it first."])
    assert page.field("staff").get("checked") is not None
    assert site.services.operators.apps.all() == []
    assert ada.post(f"{APPS}/new", **{"name": "Wiki", 'group-x"><b>': "y"}).soup.find("b", string=">") is None


def test_a_group_that_is_deleted_while_an_app_is_changed_does_not_open_it_to_everyone(site: Site, ada: Owner) -> None:
    groups, apps = site.services.operators.groups, site.services.operators.apps
    groups.create("staff")
    groups.create("crew")
    client_id = apps.create("web", AppOptions("Wiki", redirect_uris=(CALLBACK,), groups=("crew",))).app.client_id
    page = ada.open(f"{APPS}/{client_id}")
    form, _button = page.form_of("Save")
    sent = {field.get("name"): field.get("value", "") for field in form.iter("input") if _is_sent(field)}
    sent |= {field.get("name"): field.text_content().removeprefix("\n") for field in form.iter("textarea")}
    del sent["group-crew"]
    groups.delete("staff")
    page = ada.post(f"{APPS}/{client_id}", **sent, **{"group-staff": "y"})
    assert (page.status, page.problems) == (422, ["There's no group staff. Add it first."])
    assert apps.named(client_id).options.groups == ("crew",)


def test_the_sector_is_chosen_when_an_app_is_added_and_shown(site: Site, ada: Owner) -> None:
    page = add_app(ada, sector="https://example.org/")
    assert (page.status, page.problems) == (422, ["This isn't a host like files.example.com: https://example.org/."])
    assert page.field("Sector")["value"] == "https://example.org/"
    assert site.services.operators.apps.all() == []
    add_app(ada, sector=" Example.org ")
    assert site.services.operators.apps.named(only_app(site)).app.sector == "example.org"
    page = ada.open(f"{APPS}/{only_app(site)}")
    assert page.soup.find("dt", string="Sector").find_next_sibling("dd").get_text() == "example.org"


@each_way
def test_every_option_can_be_changed(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    for name in ("board", "staff"):
        site.services.operators.groups.create(name)
    add_app(ada, **{"group-board": "y", "post_logout_redirect_uris": "https://wiki.example.org/out"})
    client_id = only_app(site)
    page = ada.open(f"{APPS}/{client_id}")
    assert page.field("Addresses after logging out").get_text().strip() == "https://wiki.example.org/out"
    assert page.field("Redirect addresses").get_text().strip() == CALLBACK
    typed = {
        "name": "Handbook",
        "redirect_uris": f"{CALLBACK}\nhttps://wiki.example.org/other",
        "post_logout_redirect_uris": "https://wiki.example.org/bye",
        "group-staff": "y",
        "proof": "two-factor",
        "max_age": "600",
        "scope-phone": "",
        "subject_type": "public",
        "trusted": "y",
        "signing_algorithm": "ES256",
        "resources": "https://api.example.org/",
        "backchannel_logout_uri": "https://wiki.example.org/out",
        "private_addresses": "10.0.0.0/8\nfd00::/8",
        "dpop_demanded": "y",
        "device_allowed": "y",
    }
    page = ada.press("Save", **typed)
    assert (page.h1, page.receipts) == ("Handbook", ["You changed the app Handbook."])
    options = site.services.operators.apps.named(client_id).options
    assert options == AppOptions(
        "Handbook",
        groups=("board", "staff"),
        proof="two-factor",
        max_age=600,
        redirect_uris=(CALLBACK, "https://wiki.example.org/other"),
        post_logout_redirect_uris=("https://wiki.example.org/bye",),
        scopes=options.scopes,
        subject_type="public",
        sector="wiki.example.org",
        signing_algorithm="ES256",
        trusted=True,
        resources=("https://api.example.org/",),
        backchannel_logout_uri="https://wiki.example.org/out",
        private_addresses=("10.0.0.0/8", "fd00::/8"),
        dpop_demanded=True,
        device_allowed=True,
    )
    assert ada.press("Save").receipts == ["You changed the app Handbook."]
    assert site.services.operators.apps.named(client_id).options == options, "what is shown is what is stored"
    ada.press("Save", max_age="0")
    ada.press("Save")
    assert site.services.operators.apps.named(client_id).options.max_age == 0


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"max_age": "ten"}, "Enter a number of seconds up to 2592000, which is 30 days."),
        ({"max_age": "9999999"}, "Enter a number of seconds up to 2592000, which is 30 days."),
        ({"redirect_uris": ""}, "Enter at least one redirect address."),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(site: Site, ada: Owner, typed: dict[str, str], problem: str) -> None:
    add_app(ada)
    ada.open(f"{APPS}/{only_app(site)}")
    page = ada.press("Save", name="Handbook", **typed)
    assert (page.status, page.problems) == (422, [problem])
    assert site.services.operators.apps.all()[0].name == "Wiki"


def test_a_stale_form_does_not_undo_what_another_operator_changed_meanwhile(site: Site, ada: Owner) -> None:
    site.services.operators.groups.create("staff")
    add_app(ada)
    client_id, apps = only_app(site), site.services.operators.apps
    ada.open(f"{APPS}/{client_id}")
    narrowed = replace(apps.named(client_id).options, groups=("staff",))
    apps.change(client_id, narrowed)
    page = ada.press("Save", name="Handbook")
    assert page.problems == ["This page was out of date. Nothing was changed. Try again."]
    assert page.soup.find("input", attrs={"name": "group-staff", "checked": True}) is not None
    assert apps.named(client_id).options == narrowed
    assert ada.press("Save", name="Handbook").receipts == ["You changed the app Handbook."]
    assert apps.named(client_id).options == replace(narrowed, name="Handbook")
    assert ada.open(f"{APPS}/{client_id}").field("Name")["value"] == "Handbook"
    ada.press("Save", as_read="")
    assert apps.named(client_id).options == replace(narrowed, name="Handbook")


def test_a_crafted_form_sets_no_option_that_the_kind_does_not_have(site: Site, ada: Owner) -> None:
    apps = site.services.operators.apps
    made = {
        "web": AppOptions("Wiki", redirect_uris=(CALLBACK,)),
        "public": AppOptions("Wiki", redirect_uris=(CALLBACK,)),
        "guarded": AppOptions("Wiki", host="wiki.example.org"),
    }
    every = {
        "jwks": PUBLIC_KEYS,
        "jwks_uri": "https://wiki.example.org/keys",
        "dpop_demanded": "y",
        "backchannel_logout_uri": "https://wiki.example.org/out",
        "private_addresses": "10.0.0.0/8",
        "origins": "https://wiki.example.org",
        "host": "other.example.org",
        "rules": "public /",
        "authorization_allowed": "y",
        "trusted": "y",
        "sector": "example.org",
    }
    for kind, options in made.items():
        client_id = apps.create(kind, options).app.client_id
        before = apps.named(client_id).options
        page = ada.open(f"{APPS}/{client_id}")
        crafted = {name: value for name, value in every.items() if page.soup.find(attrs={"name": name}) is None}
        assert set(crafted) == set(every) - OF_KIND[kind] | {"sector"}, "it never changes"
        form, _button = page.form_of("Save")
        shown = {field.get("name"): field.get("value", "") for field in form.iter("input") if _is_sent(field)}
        shown |= {field.get("name"): field.text_content().removeprefix("\n") for field in form.iter("textarea")}
        assert ada.post(f"{APPS}/{client_id}", **shown, **crafted).receipts == ["You changed the app Wiki."]
        assert apps.named(client_id).options == before


def _is_sent(field: Any) -> bool:
    named = field.get("name") not in (None, "csrf_token")
    return named and (field.get("type") not in ("checkbox", "radio") or "checked" in field.attrib)


def test_an_app_that_gets_keys_has_no_secret_any_more(site: Site, ada: Owner) -> None:
    add_app(ada)
    client_id, apps = only_app(site), site.services.operators.apps
    ada.open(f"{APPS}/{client_id}")
    for typed in (f'{PUBLIC_KEYS[:-1]}, "n": NaN}}', "[" * 20_000, "{keys"):
        page = ada.press("Save", jwks=typed)
        assert page.problems == ["This isn't a JSON Web Key Set that has only public keys."]
    assert page.field("Public keys of the app").get_text().strip() == "{keys"
    page = ada.press("Save", jwks=PUBLIC_KEYS)
    assert page.receipts == ["You changed the app Wiki."]
    assert apps.named(client_id).options.jwks == json.loads(PUBLIC_KEYS)
    assert apps.named(client_id).secrets == []
    assert "New secret" not in page.buttons
    assert ada.press("Save").receipts == ["You changed the app Wiki."]
    assert apps.named(client_id).options.jwks == json.loads(PUBLIC_KEYS), "what is shown is what is stored"
    page = ada.press("Save", jwks_uri="https://wiki.example.org/keys")
    assert page.problems == ["Enter either the keys or their address."]
    page = ada.press("Save", jwks="", jwks_uri=" https://wiki.example.org/keys ")
    assert apps.named(client_id).options.jwks_uri == "https://wiki.example.org/keys"
    page = ada.press("Save", jwks_uri=" ")
    assert apps.named(client_id).options.jwks_uri is None
    assert secret_on(ada.press("New secret"))


def test_two_secrets_work_at_a_time_and_one_is_removed(site: Site, ada: Owner) -> None:
    add_app(ada)
    client_id = only_app(site)
    apps = site.services.operators.apps
    page = ada.open(f"{APPS}/{client_id}")
    assert "Remove secret" not in page.links, "the only one"
    ada.open(f"{APPS}/{client_id}/secrets/{apps.named(client_id).secrets[0].id}/remove")
    page = ada.press("Remove secret")
    assert page.problems == ["This is the only client secret. Generate a new one first."]
    ada.open(f"{APPS}/{client_id}")
    page = ada.press("New secret")
    assert [one.secret_hash for one in apps.named(client_id).secrets][1] == hash_of(secret_on(page))
    ada.open(f"{APPS}/{client_id}")
    page = ada.press("New secret")
    assert page.problems == ["This app already has two client secrets. Remove one first."]
    assert page.links.count("Remove secret") == 2
    oldest = apps.named(client_id).secrets[0].id
    ada.open(f"{APPS}/{client_id}/secrets/{oldest}/remove")
    page = ada.press("Remove secret")
    assert page.receipts == ["You removed a client secret of the app Wiki."]
    assert [one.id for one in apps.named(client_id).secrets] != [oldest]
    assert ada.open(f"{APPS}/{client_id}/secrets/{oldest}/remove").status == 404


def test_new_secret_pressed_twice_shows_one_secret(site: Site, ada: Owner) -> None:
    """The answer to the first press was lost."""
    add_app(ada)
    apps, client_id = site.services.operators.apps, only_app(site)
    form, _ = ada.open(f"{APPS}/{client_id}").form_of("New secret")
    sent = {field.get("name"): field.get("value") for field in form.iter("input")}
    first, second = (secret_on(ada.send("POST", form.get("action"), data=sent)) for _ in range(2))
    assert first == second
    assert [one.secret_hash for one in apps.named(client_id).secrets][1:] == [hash_of(first)]
    page = ada.send("POST", form.get("action"), data={**sent, "secret": "of.another"})
    assert page.problems == ["This app already has two client secrets. Remove one first."]


def test_an_app_is_deleted_on_a_page_that_asks(site: Site, ada: Owner) -> None:
    add_app(ada)
    ada.open(f"{APPS}/{only_app(site)}")
    page = ada.follow("Delete Wiki")
    assert page.h1 == "Delete Wiki"
    page = ada.press("Delete")
    assert (page.h1, page.receipts) == ("Apps", ["You deleted the app Wiki."])
    assert site.services.operators.apps.all() == []


def test_a_page_of_an_app_that_is_not_there_is_not_found(site: Site, ada: Owner) -> None:
    for page in ("", "/connect", "/delete", "/secrets/1/remove", "/proxies/nginx"):
        assert ada.open(f"{APPS}/{'0' * 32}{page}").status == 404
    assert ada.open(APPS).says("There are no apps yet.")


# -- Guarded hosts -----------------------------------------------------------------------------------


@each_way
def test_a_guarded_host_is_added_changed_and_deleted(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    page = add_app(ada, kind="guarded", name="Files", host="Files.example.org", redirect_uris="left over")
    client_id, apps = only_app(site), site.services.operators.apps
    assert apps.named(client_id).options == AppOptions("Files", host="files.example.org", sector="files.example.org")
    page = ada.open(APPS)
    assert "Files" in page.links
    page = ada.follow("Files")
    assert page.says("Guarded host")
    assert page.soup.find(attrs={"name": "redirect_uris"}) is None
    rules = "public GET /assets\n\nkey /admin"
    page = ada.press("Save", host="files.example.org:8443", rules=rules, authorization_allowed="y", max_age="600")
    assert page.receipts == ["You changed the app Files."]
    stored = apps.named(client_id).options
    assert (stored.host, stored.rules) == ("files.example.org:8443", ("public GET /assets", "key /admin"))
    assert (stored.authorization_allowed, stored.max_age) == (True, 600)
    assert ada.press("Save").receipts == ["You changed the app Files."]
    assert apps.named(client_id).options == stored, "what is shown is what is stored"
    ada.follow("Delete Files")
    assert ada.press("Delete").receipts == ["You deleted the app Files."]


def test_each_line_that_is_no_rule_is_told(site: Site, ada: Owner) -> None:
    app = guarded(site)
    ada.open(f"{APPS}/{app}")
    page = ada.press("Save", rules="public /assets\n\nallow /\nkey admin")
    assert page.problems == [
        "Line 3 isn't an action, methods if you like, and a path: allow /.",
        "Line 4 isn't an action, methods if you like, and a path: key admin.",
    ]
    assert page.field("Rules by path").get_text().strip().startswith("public /assets")
    assert site.services.operators.apps.named(app).options.rules == RULES


def test_two_apps_do_not_have_one_host(site: Site, ada: Owner) -> None:
    guarded(site)
    assert add_app(ada, kind="guarded", host="FILES.example.org").problems == ["Another app already has this host."]


@each_way
@pytest.mark.parametrize(
    ("method", "path", "rule", "asks"),
    [
        ("GET", "/assets/logo.png", "public GET /assets", "Nothing: everyone may enter"),
        ("post", "/assets/logo.png", "No rule matches, so the proof of the app counts.", "Any second factor"),
        ("", "https://files.example.org/internal?x", "deny /internal", "Nothing: access is denied"),
        ("GET", "/%61ssets", "This path can be read in several ways", "Security key or passkey"),
        ("GET", "/ADMIN/\u00e9", "key /admin", "Security key or passkey"),
    ],
)
def test_the_rules_are_tried(site: Site, layout: str, htmx: bool, method: str, path: str, rule: str, asks: str) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    app = guarded(site)
    before = site.services.operators.apps.named(app).options
    page = ada.open(f"{APPS}/{app}")
    assert not page.says("Asks for")
    page = ada.open(f"{APPS}/{app}?{urlencode({'method': method, 'path': path})}")
    assert page.says(rule)
    assert page.says(f"Asks for {asks}")
    assert page.field("Method")["value"] == (method.upper() or "GET")
    assert site.services.operators.apps.named(app).options == before


def test_an_app_without_rules_has_none_to_try(site: Site, ada: Owner) -> None:
    add_app(ada)
    page = ada.open(f"{APPS}/{only_app(site)}?path=/assets")
    assert "Try" not in page.buttons
    assert ada.open(f"{APPS}/{only_app(site)}/proxies/nginx").status == 404


@each_way
def test_the_configuration_of_each_proxy_is_shown_again(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    page = add_app(ada, kind="guarded", name="Files", host="files.example.org")
    assert (page.h1, page.path.rpartition("/")[2]) == ("Connect Files", "nginx")
    stored = site.services.operators.apps.named(only_app(site))
    for name in ("nginx", "Caddy", "Traefik", "Envoy", "Apache"):
        page = ada.follow(name)
        shown = page.soup.find("pre")
        assert shown is not None
        settings = site.services.settings
        text = configuration(name.lower(), stored, site.services.core, bind=settings.bind, main_url=settings.main_url)
        assert shown.get_text().strip() == text.strip()
        here = page.soup.select_one(".tabs [aria-current=page]")
        assert here is not None
        assert here.get_text() == name
    assert ada.open(f"{APPS}/{stored.app.client_id}/proxies/squid").status == 404
    assert ada.open(f"{APPS}/{stored.app.client_id}/connect").status == 404
    ada.open(f"{APPS}/{stored.app.client_id}")
    assert ada.press("New secret").h1 == "Connect Files"


def test_a_configuration_whose_key_is_missing_says_so_in_the_log_and_is_back_with_the_key(
    site: Site, ada: Owner
) -> None:
    page = f"{APPS}/{guarded(site)}/proxies/nginx"
    with site.services.db.write() as tx:
        kept = tx.scalar(select(AppSecret.sealed))
        tx.execute(update(AppSecret).values(sealed="none.AAAA"))
    with capture_logs() as logged:
        shown = ada.open(page)
    assert (shown.status, shown.h1, shown.response.headers["Retry-After"]) == (503, "Not available right now", "60")
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert line["event"] == "key_missing"
    assert line["error"] == "the encryption key 'none' is not among the settings"
    with site.services.db.write() as tx:
        tx.execute(update(AppSecret).values(sealed=kept))
    assert ada.open(page).h1 == "Connect Files"


def test_an_old_token_changes_nothing(site: Site, ada: Owner) -> None:
    add_app(ada)
    client_id = only_app(site)
    old = ["This page was out of date. Nothing was changed. Try again."]
    for path in (f"{APPS}/{client_id}/new-secret", f"{APPS}/{client_id}/delete"):
        assert ada.send("POST", path, data={"csrf_token": "old"}).problems == old
    ada.open(f"{APPS}/{client_id}")
    page = ada.press("Save", name="Handbook", csrf_token="old")
    assert (page.status, page.problems) == (422, ["This page was out of date. Nothing was changed. Try again."])
    assert site.services.operators.apps.named(client_id).app.name == "Wiki"
    site.services.operators.groups.create("staff")
    site.services.operators.groups.add("staff", "ada")
    assert ada.send("POST", f"{GROUPS}/staff", data={"csrf_token": "old", "remove": "ada"}).problems == old
    assert len(site.services.operators.apps.named(client_id).secrets) == 1
    assert site.services.operators.groups.size("staff") == 1


# -- Accounts ----------------------------------------------------------------------------------------


@each_way
def test_an_account_is_found_logged_out_locked_and_unlocked(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    bob = Owner.signed_up(site, "bob")
    bob.turn_on_app()
    site.services.operators.groups.create("staff")
    site.services.operators.groups.add("staff", "bob")
    ada.open("/operator")
    page = ada.follow("Accounts")
    assert page.says("@bob")
    for typed in ("Bob", "bob@example.org"):
        ada.open(ACCOUNTS)
        page = ada.press("Find", username=typed)
        assert page.path == f"{ACCOUNTS}/bob"
    for said in ("@bob", "bob@example.org", "staff", "Authentication app", "Added", "You created your account."):
        assert page.says(said), said
    assert bob.secret not in page.text
    ada.follow("Log out everywhere")
    page = ada.press("Log out everywhere")
    assert page.receipts == ["Ada Lovelace is logged out on all devices."]
    assert bob.open("/settings").path == "/log-in"
    assert ada.follow("Lock").says("Username @bob"), "others may have the same name"
    page = ada.press("Lock")
    assert page.receipts == ["Ada Lovelace is locked."]
    assert page.says("Locked")
    assert bob.log_in().status == 422
    assert ada.open(ACCOUNTS).says("@bob Locked")
    ada.open(f"{ACCOUNTS}/bob")
    ada.follow("Unlock")
    page = ada.press("Unlock")
    assert page.receipts == ["Ada Lovelace is unlocked."]
    assert bob.log_in().h1 == "Enter your code"
    page = ada.open("/settings/security/activity")
    for said in ("You logged out the account @bob on all devices.", "You locked the account @bob."):
        assert page.says(said), said


def test_an_account_that_nobody_has_is_not_found(site: Site, ada: Owner) -> None:
    ada.open(ACCOUNTS)
    page = ada.press("Find", username="nobody")
    assert (page.status, page.problems) == (422, ["No account has that username."])
    assert ada.open(f"{ACCOUNTS}/nobody").status == 404
    assert ada.open(f"{ACCOUNTS}/nobody/lock").status == 404
    assert ada.open(f"{ACCOUNTS}/ada/delete").status == 404


def test_an_act_on_an_address_that_names_the_account_by_email_is_done(site: Site, ada: Owner) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.turn_on_app()
    for act, button, answers in (
        ("lock", "Lock", {}),
        ("unlock", "Unlock", {}),
        ("recover", "Start recovery", {"why": "Lost the phone"}),
        ("cancel-recovery", "Cancel recovery", {}),
    ):
        ada.open(f"{ACCOUNTS}/{bob.email}/{act}")
        page = ada.press(button, **answers)
        assert (page.path, page.problems) == (f"{ACCOUNTS}/bob", []), act


def test_an_operator_is_not_changed_in_the_pages(site: Site, ada: Owner) -> None:
    bob = Owner.signed_up(site, "bob")
    site.services.operators.roles.promote("bob")
    page = ada.open(f"{ACCOUNTS}/bob")
    assert page.says("Operators can't be changed here. Use the command line.")
    for act, button in (("log-out", "Log out everywhere"), ("lock", "Lock"), ("unlock", "Unlock")):
        ada.open(f"{ACCOUNTS}/bob/{act}")
        page = ada.press(button)
        assert (page.status, page.problems) == (403, ["Operators can't be changed here. Use the command line."])
    assert bob.open("/settings").h1 == "Settings and privacy"


def test_an_account_without_factors_and_address_is_shown(site: Site, ada: Owner) -> None:
    site.services.sign_up.create_by_operator("Eve", "eve", "violet tractors hum", None, confirmed=False)
    page = ada.open(f"{ACCOUNTS}/eve")
    assert page.says("Email address Not confirmed Groups")
    assert page.says("Off")
    assert page.says("Nothing yet.")


def test_an_account_shows_the_address_that_it_has_not_confirmed(ada: Owner) -> None:
    ada.open("/operator/invitations")
    page = ada.press("Invite", email="eve@example.com")
    assert page.path == f"{ACCOUNTS}/eve"
    assert page.says("Email address eve@example.com Not confirmed Groups")


def test_the_sessions_of_an_account_are_its_own(site: Site, ada: Owner) -> None:
    bob = Owner.signed_up(site, "bob")
    with site.services.db.read() as tx:
        own = set(tx.scalars(select(Session.id).join(Account).where(Account.username == bob.username)))
    shown = ada.open(f"{ACCOUNTS}/bob").soup.select("[id^=session-]")
    assert {row["id"] for row in shown} == {f"session-{number}" for number in own}
    bob.log_out()
    assert not ada.open(f"{ACCOUNTS}/bob").soup.select("[id^=session-]")


def test_the_side_menu_lists_the_operators_pages(site: Site, ada: Owner) -> None:
    ada.open("/settings")
    assert ada.follow("Operator").path == "/operator"
    for name in ("Apps", "Accounts", "Messages", "Groups"):
        page = ada.follow(name)
        (here,) = page.soup.select("nav.beside [aria-current=page]")
        assert (here.get_text(), page.h1) == (name, name)
    bob = Owner.signed_up(site, "bob")
    assert "Operator" not in bob.open("/settings").links


@each_way
def test_someone_is_invited_by_mail(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    ada.open(ACCOUNTS)
    ada.follow("Invite")
    page = ada.press("Invite", email="not an address")
    assert (page.status, page.problems) == (422, ["Enter a valid email address, like name@example.com."])
    page = ada.press("Invite", email="", username="!", name="x" * 61)
    assert [page.link(problem) for problem in page.problems] == ["#email", "#username", "#name"]
    assert (page.field("Username (optional)")["value"], page.field("Name (optional)")["value"]) == ("!", "x" * 61)
    page = ada.press("Invite", email="grace@example.org", username="grace", name="Grace Hopper")
    assert (page.h1, page.receipts) == ("Grace Hopper", ["You invited @grace."])
    assert site.emailed_path("grace@example.org", "/invite/")
    assert ada.open("/settings/security/activity").says("You invited @grace.")
    ada.open("/operator/invitations")
    assert ada.press("Invite", email="ada@example.org").problems == ["That email address belongs to another account."]
    wrong, taken = "Enter a valid email address, like name@example.com.", "That username is taken. Try another."
    assert ada.press("Invite", email="ada", username="ada").problems == [wrong, taken]
    assert ada.press("Invite", email="ada", username="grace").problems == [wrong], "she may be invited again"


@each_way
def test_long_lists_have_pages(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    site.services.operators.groups.create("staff")
    now, number_of = site.clock.now(), site.services.settings.policy.operator_page + 2
    given = {"created_at": now, "name": "Eve", "password_hash": "x"}
    names = [{"username": f"eve{number:03}", "username_key": f"eve{number:03}"} for number in range(number_of)]
    with site.services.db.write() as tx:
        made = tx.scalars(insert(Account).returning(Account.id), [{**given, **name} for name in names]).all()
        tx.execute(insert(Membership), [{"group_name": "staff", "account_id": one, "added_at": now} for one in made])

    first = ada.open(ACCOUNTS)
    assert (first.says("@eve000"), first.says("@eve098"), first.says("@eve099")) == (True, True, False)
    assert "First page" not in first.links
    second = ada.follow("Next page")
    assert (second.says("@eve098"), second.says("@eve099"), second.says("@eve101")) == (False, True, True)
    assert "Next page" not in second.links
    assert ada.follow("First page").says("@eve000")

    first = ada.open(f"{GROUPS}/staff")
    assert (first.says("@eve000"), first.says("@eve099"), first.says("@eve100")) == (True, True, False)
    assert ada.follow("Next page").says("@eve101")
    after = ada.press("Remove eve101")
    assert after.receipts == ["You removed @eve101 from the group staff."]
    assert (after.says("@eve100"), after.says("@eve000")) == (True, False), "it stays on its page"
    last = ada.press("Remove eve100")
    assert (last.says("@eve000"), "Next page" in last.links) == (True, False), "a page without members is left"
    assert ada.follow("Delete staff").says("100 accounts lose this group.")


def test_when_an_app_was_last_used_is_shown(site: Site, ada: Owner) -> None:
    add_app(ada)
    with site.services.db.write() as tx:
        tx.execute(update(RegisteredApp).values(used_at=site.clock.now()))
    assert ada.open(APPS).says("Last used on January 15, 2027")
