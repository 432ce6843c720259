"""Roles, groups and registered apps: what operators may do, and what is recorded of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, inspect, select
from structlog.testing import capture_logs

from tests.attacks.test_meanwhile import while_paused
from tests.conftest import Site, one_database
from tests.people import Owner
from webapp import create_app
from webapp.domain import app_refusals as refusals
from webapp.domain.account_refusals import NameMalformed
from webapp.domain.codes import hash_of
from webapp.domain.origin import Origin
from webapp.domain.refusals import AlreadyDone, LoginExpired, NotFound, PageTooOld, Refusal
from webapp.models.accounts import OPERATOR, PERSON, Account
from webapp.models.groups import Membership
from webapp.models.registered_apps import AppGroup, AppSecret, RegisteredApp, app_secret_bound
from webapp.models.sessions import Activity, Session
from webapp.services.notices import sentence_for
from webapp.services.operators import Actor, AppOptions, Operators
from webapp.services.operators.app_options import fingerprint
from webapp.settings import Settings

WEB = AppOptions("Wiki", redirect_uris=("https://wiki.example.org/callback",))
PHONE_APP = AppOptions("Notes", redirect_uris=("com.example.notes:/callback",))
HOST = AppOptions("Files", host="Files.example.org")
KEYS = {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "1"}]}


@pytest.fixture
def operators(site: Site) -> Operators:
    return site.services.operators


def make(site: Site, username: str = "ada", *, confirmed: bool = True) -> Account:
    email = f"{username}@example.org"
    return site.services.sign_up.create_by_operator(
        username.title(), username, "violet tractors hum", email, confirmed=confirmed
    )


def now(site: Site, account: Account) -> Account:
    return site.services.accounts.named(account.username)


def said_to(site: Site, account: Account) -> list[str]:
    """The account's activity, oldest first."""
    with site.services.db.read() as tx:
        mine = select(Activity).where(Activity.account_id == account.id).order_by(Activity.id)
        return [sentence_for(row.kind, json.loads(row.details)) for row in tx.objects.scalars(mine)]


def rows(site: Site, table: Any) -> Sequence[Any]:
    with site.services.db.read() as tx:
        return tx.objects.scalars(select(table).order_by(*inspect(table).primary_key)).all()


# -- Roles -------------------------------------------------------------------------------------------


def test_an_account_is_promoted_and_demoted_once(site: Site, operators: Operators) -> None:
    ada, _bob = make(site), make(site, "bob")
    assert now(site, ada).role == PERSON
    assert operators.roles.promote("bob")
    with capture_logs() as logged:
        assert operators.roles.promote("ADA")
    assert logged == [
        {"act": "operator-promoted", "operator": None, "username": "ada", "event": "operator_act", "log_level": "info"}
    ]
    assert now(site, ada).role == OPERATOR
    assert not operators.roles.promote("ada")
    assert operators.roles.demote("ada")
    assert not operators.roles.demote("ada")
    assert said_to(site, ada) == [
        "An administrator made you an operator of this site.",
        "An administrator ended your role as an operator of this site.",
    ]
    assert [mail.subject for mail in site.emails("ada@example.org")][-1].startswith("An administrator made you")


def test_the_last_operator_who_can_log_in_stays(site: Site, operators: Operators) -> None:
    make(site)
    make(site, "bob")
    operators.roles.promote("ada")
    for change in (operators.roles.demote, operators.roles.lock, site.services.accounts.delete):
        with pytest.raises(refusals.LastOperator):
            change("ada")
    operators.roles.promote("bob")
    operators.roles.lock("bob")
    with pytest.raises(refusals.LastOperator):
        operators.roles.demote("ada")
    operators.roles.unlock("bob")
    assert operators.roles.demote("ada")
    site.services.accounts.delete("ada")


def test_an_operator_whose_address_was_never_confirmed_is_not_purged(site: Site, operators: Operators) -> None:
    Owner.signed_up(site, "eve", confirm_email=False)
    operators.roles.promote("eve")
    site.clock.pass_(90 * 86400)
    assert site.services.maintenance.purge()["accounts"] == 0


def test_an_owner_who_is_the_last_operator_cannot_delete_the_account(site: Site, operators: Operators) -> None:
    ada = Owner.signed_up(site)
    operators.roles.promote("ada")
    ada.open("/settings/account/delete")
    page = ada.press("Delete my account")
    assert page.status == 403
    assert page.says("This is the only operator who can log in. Make another account an operator first.")
    assert site.services.accounts.named("ada").delete_at is None


def test_an_operator_who_waits_to_be_deleted_does_not_stop_the_purge(site: Site, operators: Operators) -> None:
    ada = Owner.signed_up(site)
    ada.open("/settings/account/delete")
    ada.press("Delete my account")
    operators.roles.promote("ada")
    make(site, "bob")
    operators.roles.promote("bob")
    with pytest.raises(refusals.LastOperator):
        operators.roles.demote("bob")
    site.clock.pass_(30 * 86400)
    assert site.services.maintenance.purge()["accounts"] == 1
    assert [account.username for account in site.services.accounts.all()] == ["bob"]


def test_an_account_that_nobody_has_is_refused(operators: Operators) -> None:
    for change in (operators.roles.promote, operators.roles.demote, operators.roles.lock, operators.roles.unlock):
        with pytest.raises(refusals.UnknownUsername):
            change("nobody")


def test_locking_ends_sessions_and_is_undone_by_unlocking(site: Site, operators: Operators) -> None:
    ada = Owner.signed_up(site)
    account = site.services.accounts.named("ada")
    assert not operators.roles.unlock("ada")
    assert operators.roles.lock("ada")
    assert ada.open("/settings").path == "/log-in"
    assert not operators.roles.lock("ada")
    assert operators.roles.unlock("ada")
    assert ada.log_in().h1 == "Welcome, Ada Lovelace"
    assert [sentence for sentence in said_to(site, account) if "administrator" in sentence] == [
        "An administrator locked your account. No one can log in to it until it's unlocked.",
        "An administrator unlocked your account. You can log in again.",
    ]


def test_in_a_page_an_operator_locks_people_only_and_it_is_in_the_operators_own_activity(
    site: Site, operators: Operators
) -> None:
    ada, _bob, _cleo = make(site), make(site, "bob"), make(site, "cleo")
    for username in ("ada", "bob"):
        operators.roles.promote(username)
    actor = Actor(ada.id, Origin("192.0.2.9", "Firefox"))
    for change in (operators.roles.lock, operators.roles.unlock):
        with pytest.raises(refusals.OtherOperator):
            change("bob", actor)
    assert operators.roles.lock("cleo", actor)
    assert operators.roles.unlock("cleo", actor)
    assert said_to(site, ada)[-2:] == ["You locked the account @cleo.", "You unlocked the account @cleo."]
    addresses = {row.address for row in rows(site, Activity) if row.account_id != ada.id}
    assert addresses == {""}, "people are not told from where an operator works"


# -- Groups ------------------------------------------------------------------------------------------


def test_members_are_added_and_removed_once(site: Site, operators: Operators) -> None:
    ada, groups = make(site), operators.groups
    assert groups.create(" staff ") == "staff"
    groups.create("a")
    assert groups.add("staff", "@Ada") is not None
    assert groups.add("staff", "ada") is None
    assert [(row.name, row.members) for row in groups.all()] == [("a", 0), ("staff", 1)]
    assert [account.username for account in groups.members("staff").accounts] == ["ada"]
    assert groups.of(ada.id) == ["staff"]
    assert groups.remove("staff", "ada") is not None
    assert groups.remove("staff", "ada") is None
    assert said_to(site, ada) == [
        "An administrator added you to the group staff.",
        "An administrator removed you from the group staff.",
    ]


@pytest.mark.parametrize("name", ["", "-staff", "Staff", "staff 1", "stäff", "a" * 41, "staff\n1"])
def test_a_group_has_a_short_lower_case_name(operators: Operators, name: str) -> None:
    with pytest.raises(refusals.GroupNameMalformed):
        operators.groups.create(name)


def test_what_is_missing_or_taken_is_refused(site: Site, operators: Operators) -> None:
    make(site)
    groups = operators.groups
    groups.create("a" * 40)
    with pytest.raises(refusals.GroupTaken):
        groups.create("a" * 40)
    groups.create("staff")
    for change in (groups.add, groups.remove):
        with pytest.raises(refusals.UnknownUsername):
            change("staff", "nobody")
        with pytest.raises(refusals.UnknownGroup):
            change("nobodies", "ada")
    with pytest.raises(refusals.UnknownGroup):
        groups.members("nobodies")
    with pytest.raises(refusals.UnknownGroup):
        groups.size("nobodies")
    with pytest.raises(refusals.UnknownGroup):
        groups.delete("nobodies")


def test_a_group_ends_with_its_members_but_not_while_an_app_needs_it(site: Site, operators: Operators) -> None:
    make(site)
    groups = operators.groups
    groups.create("staff")
    groups.add("staff", "ada")
    app = operators.apps.create("web", replace(WEB, groups=("staff",))).app
    with pytest.raises(refusals.GroupInUse) as refused:
        groups.delete("staff")
    assert refused.value.apps == "Wiki"
    operators.apps.change(app.client_id, WEB)
    groups.delete("staff")
    assert not rows(site, Membership)
    assert groups.all() == []


def test_a_deleted_account_leaves_its_groups(site: Site, operators: Operators) -> None:
    make(site)
    operators.groups.create("staff")
    operators.groups.add("staff", "ada")
    site.services.accounts.delete("ada")
    assert operators.groups.size("staff") == 0


# -- Apps --------------------------------------------------------------------------------------------


def test_a_web_application_has_a_secret_of_which_only_the_hash_is_stored(site: Site, operators: Operators) -> None:
    made = operators.apps.create("web", WEB)
    stored = operators.apps.named(made.app.client_id)
    assert made.secret is not None
    assert len(made.secret) == 64
    assert [secret.secret_hash for secret in stored.secrets] == [hash_of(made.secret)]
    assert stored.secrets[0].sealed is None
    assert stored.options == replace(WEB, sector="wiki.example.org")
    assert (stored.app.limited, stored.app.used_at, stored.app.sector) == (False, None, "wiki.example.org")
    with site.services.db.engine.connect() as connection:
        assert made.secret not in str([connection.execute(select(table)).all() for table in (AppSecret, RegisteredApp)])


def test_public_apps_and_those_with_keys_have_no_secret(operators: Operators) -> None:
    assert operators.apps.create("public", PHONE_APP).secret is None
    for keys in ({"jwks": KEYS}, {"jwks_uri": "https://wiki.example.org/keys"}):
        made = operators.apps.create("web", replace(WEB, **keys))
        assert made.secret is None
        with pytest.raises(refusals.NoSecrets):
            operators.apps.new_secret(made.app.client_id)


def test_the_secret_of_a_guarded_host_can_be_read_again(site: Site, operators: Operators) -> None:
    made = operators.apps.create("guarded", HOST)
    (secret,) = operators.apps.named(made.app.client_id).secrets
    keyring = site.services.core.keyring
    assert secret.sealed is not None
    assert keyring.open(secret.sealed, app_secret_bound(made.app.id)) == made.secret
    assert (made.app.host, made.app.sector) == ("files.example.org", "files.example.org")


def test_the_sector_is_that_of_the_first_redirect_address_for_good(operators: Operators) -> None:
    given = replace(WEB, sector="Example.org")
    assert operators.apps.create("web", given).app.sector == "example.org"
    made = operators.apps.create("web", WEB).app
    elsewhere = ("https://other.example.org/callback",)
    operators.apps.change(made.client_id, replace(WEB, redirect_uris=elsewhere, sector="example.net"))
    stored = operators.apps.named(made.client_id)
    assert (stored.app.sector, stored.options.redirect_uris) == ("wiki.example.org", elsewhere)
    alone = operators.apps.create("public", PHONE_APP).app
    assert alone.sector == alone.client_id
    assert operators.apps.create("guarded", replace(HOST, host="files.localhost:5001")).app.sector == "files.localhost"


@pytest.mark.parametrize("host", ["localhost:3000", "wiki.localhost", "127.0.0.1", "127.1.2.3:80", "[::1]"])
def test_apps_on_the_same_device_do_not_share_a_sector(operators: Operators, host: str) -> None:
    """Else any app on a device would know its user by the same name as all others there."""
    for kind, options in (("public", PHONE_APP), ("web", WEB)):
        given = replace(options, redirect_uris=(f"http://{host}/back",))
        alone = operators.apps.create(kind, given).app
        assert alone.sector == alone.client_id
    both = replace(WEB, redirect_uris=(f"http://{host}/back", "https://wiki.example.org/callback"))
    assert operators.apps.create("web", both).app.sector == "wiki.example.org"


def test_every_option_is_stored_and_changed(site: Site, operators: Operators) -> None:
    for name in ("staff", "board"):
        operators.groups.create(name)
    full = AppOptions(
        "Wiki",
        groups=("board", "staff"),
        proof="key",
        max_age=600,
        redirect_uris=("https://wiki.example.org/a", "https://wiki.example.org/b"),
        post_logout_redirect_uris=("https://wiki.example.org/bye",),
        backchannel_logout_uri="https://wiki.example.org/out",
        private_addresses=("10.0.0.0/8",),
        scopes=("openid", "email"),
        subject_type="public",
        sector="example.org",
        pkce_demanded=False,
        signing_algorithm="ES256",
        jwks=KEYS,
        dpop_demanded=True,
        device_allowed=True,
        trusted=True,
        resources=("https://api.example.org/",),
    )
    made = operators.apps.create("web", full).app
    stored = operators.apps.named(made.client_id)
    assert stored.options == full
    assert stored.app.limited
    less = replace(full, groups=("staff",), jwks=None, jwks_uri="https://wiki.example.org/keys", max_age=None)
    operators.apps.change(made.client_id, less)
    assert operators.apps.named(made.client_id).options == less
    guarded = replace(
        HOST,
        authorization_allowed=True,
        rules=("public GET /assets", "deny /"),
        host="files.example.org",
        sector="a.org",
    )
    made = operators.apps.create("guarded", guarded).app
    assert operators.apps.named(made.client_id).options == guarded
    spa = replace(PHONE_APP, origins=("https://spa.example.org",), redirect_uris=("https://spa.example.org/",))
    made = operators.apps.create("public", spa).app
    assert operators.apps.named(made.client_id).options.origins == ("https://spa.example.org",)
    assert [app.name for app in operators.apps.all()] == ["Files", "Notes", "Wiki"]
    assert len(rows(site, AppGroup)) == 1


def test_lists_are_stored_without_empty_lines_and_repetitions(operators: Operators) -> None:
    twice = ("https://wiki.example.org/callback", "", " https://wiki.example.org/callback ")
    given = replace(WEB, redirect_uris=twice, scopes=("email",), jwks_uri=" ", groups=())
    stored = operators.apps.named(operators.apps.create("web", given).app.client_id).options
    assert stored.redirect_uris == ("https://wiki.example.org/callback",)
    assert stored.scopes == ("openid", "email")
    assert stored.jwks_uri is None


REFUSED: list[tuple[str, AppOptions, type[Refusal]]] = [
    ("web", replace(WEB, name=" "), NameMalformed),
    ("web", replace(WEB, redirect_uris=("https://*.example.org/",)), refusals.RedirectAddressRefused),
    ("web", replace(WEB, redirect_uris=PHONE_APP.redirect_uris), refusals.RedirectAddressRefused),
    ("web", replace(WEB, redirect_uris=()), refusals.RedirectAddressMissing),
    ("web", replace(WEB, post_logout_redirect_uris=("http://wiki.example.org/",)), refusals.LogoutAddressRefused),
    ("web", replace(WEB, backchannel_logout_uri="http://wiki.example.org/"), refusals.BackchannelAddressRefused),
    ("web", replace(WEB, jwks_uri="http://wiki.example.org/"), refusals.KeysAddressRefused),
    ("web", replace(WEB, resources=("x",)), refusals.ResourceRefused),
    ("web", replace(WEB, private_addresses=("x",)), refusals.NetworkMalformed),
    ("web", replace(WEB, sector="a/b"), refusals.SectorRefused),
    ("web", replace(WEB, groups=("nobodies",)), refusals.AppGroupUnknown),
    ("web", replace(WEB, max_age=-1), refusals.MaxAgeMalformed),
    ("web", replace(WEB, max_age=30 * 86400 + 1), refusals.MaxAgeMalformed),
    ("web", replace(WEB, jwks=KEYS, jwks_uri="https://wiki.example.org/keys"), refusals.KeysTwice),
    ("web", replace(WEB, jwks={}), refusals.KeysMalformed),
    ("web", replace(WEB, jwks={"keys": []}), refusals.KeysMalformed),
    ("web", replace(WEB, jwks={"keys": ["x"]}), refusals.KeysMalformed),
    ("web", replace(WEB, jwks={"keys": [{"kty": "oct", "k": "AA"}]}), refusals.KeysMalformed),
    ("web", replace(WEB, jwks={"keys": [{**KEYS["keys"][0], "d": "AA"}]}), refusals.KeysMalformed),
    ("web", replace(WEB, host="wiki.example.org"), refusals.NotForKind),
    ("web", replace(WEB, origins=("https://spa.example.org",)), refusals.NotForKind),
    ("public", replace(PHONE_APP, pkce_demanded=False), refusals.NotForKind),
    ("public", replace(PHONE_APP, jwks=KEYS), refusals.NotForKind),
    ("public", replace(PHONE_APP, origins=("x",)), refusals.OriginRefused),
    ("guarded", replace(HOST, redirect_uris=WEB.redirect_uris), refusals.NotForKind),
    ("guarded", replace(HOST, host=None), refusals.HostMissing),
    ("guarded", replace(HOST, host="nightlatch.localhost:5000"), refusals.HostRefused),
    ("guarded", replace(HOST, host="mobile.nightlatch.localhost"), refusals.HostRefused),
    ("guarded", replace(HOST, rules=("allow /",)), refusals.RuleMalformed),
]


@one_database
@pytest.mark.parametrize(("kind", "options", "refusal"), REFUSED)
def test_an_option_that_cannot_be_is_refused_and_nothing_is_made(
    operators: Operators, kind: str, options: AppOptions, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        operators.apps.create(kind, options)
    assert operators.apps.all() == []


def test_a_change_that_cannot_be_changes_nothing(operators: Operators) -> None:
    made = operators.apps.create("web", WEB).app
    with pytest.raises(refusals.AppGroupUnknown):
        operators.apps.change(made.client_id, replace(WEB, name="Other", groups=("nobodies",)))
    assert operators.apps.named(made.client_id).app.name == "Wiki"


def test_of_two_operators_who_change_an_app_as_they_read_it_the_second_changes_nothing(operators: Operators) -> None:
    name = operators.apps.create("web", WEB).app.client_id
    as_read = fingerprint(operators.apps.named(name).options)
    changed = at_once(lambda: operators.apps.change(name, replace(WEB, trusted=True), as_read=as_read))
    assert set(changed) == {None, PageTooOld}
    assert operators.apps.named(name).options.trusted
    with pytest.raises(PageTooOld):
        operators.apps.change(name, WEB, as_read="")
    assert operators.apps.named(name).options.trusted


def test_an_app_of_a_device_needs_no_redirect_address(operators: Operators) -> None:
    assert operators.apps.create("public", AppOptions("Television", device_allowed=True)).app.redirect_uris == []


def test_one_host_has_one_app(operators: Operators) -> None:
    operators.apps.create("guarded", HOST)
    with pytest.raises(refusals.HostTaken):
        operators.apps.create("guarded", replace(HOST, host="FILES.example.org:443"))
    other = operators.apps.create("guarded", replace(HOST, host="other.example.org")).app
    with pytest.raises(refusals.HostTaken):
        operators.apps.change(other.client_id, HOST)


def test_of_two_forms_at_once_the_second_finds_the_app_of_the_first(site: Site, operators: Operators) -> None:
    client_id, refused = operators.apps.new_client_id(), list[type[Exception]]()

    def again() -> None:
        try:
            operators.apps.create("guarded", HOST, client_id=client_id)
        except Refusal as refusal:
            refused.append(type(refusal))

    first = partial(operators.apps.create, "guarded", HOST, client_id=client_id)
    while_paused(site, first, "INSERT INTO registered_apps", again)
    assert refused == [AlreadyDone]
    assert [app.client_id for app in operators.apps.all()] == [client_id]


@pytest.mark.parametrize("end", ["demote", "lock"])
def test_an_operator_who_is_demoted_or_locked_while_a_page_is_open_does_nothing(
    site: Site, operators: Operators, end: str
) -> None:
    ada, _bob = make(site), make(site, "bob")
    actor = Actor(ada.id, Origin("192.0.2.9", "Firefox"))
    for username in ("ada", "bob"):
        operators.roles.promote(username)
    operators.groups.create("staff", actor)
    assert getattr(operators.roles, end)("ada")
    for act in (
        lambda: operators.groups.delete("staff", actor),
        lambda: operators.apps.create("web", WEB, actor),
        lambda: operators.roles.lock("bob", actor),
        lambda: operators.accounts.log_out("bob", actor),
    ):
        with pytest.raises(NotFound):
            act()
    assert [row.name for row in operators.groups.all()] == ["staff"]


def test_an_operator_whose_session_was_ended_while_a_page_is_open_does_nothing(
    site: Site, operators: Operators
) -> None:
    owner = Owner.signed_up(site)
    ada = site.services.accounts.named("ada")
    operators.roles.promote("ada")
    with site.services.db.read() as tx:
        session = tx.objects.scalars(select(Session).where(Session.account_id == ada.id)).one()
    actor = Actor(ada.id, Origin("192.0.2.9", "Firefox"), session)
    operators.groups.create("staff", actor)
    owner.log_out()
    with pytest.raises(LoginExpired):
        operators.groups.delete("staff", actor)
    assert [row.name for row in operators.groups.all()] == ["staff"]


def test_two_secrets_live_at_a_time(site: Site, operators: Operators) -> None:
    made = operators.apps.create("web", WEB)
    name = made.app.client_id
    second = operators.apps.new_secret(name)
    with pytest.raises(refusals.SecretsLimited):
        operators.apps.new_secret(name)
    third = operators.apps.new_secret(name, replace=True)
    live = operators.apps.named(name).secrets
    assert [secret.secret_hash for secret in live] == [hash_of(second), hash_of(third)]
    operators.apps.remove_secret(name, live[0].id)
    with pytest.raises(NotFound):
        operators.apps.remove_secret(name, live[0].id)
    with pytest.raises(refusals.LastSecret):
        operators.apps.remove_secret(name, live[1].id)
    other = operators.apps.create("web", WEB).app
    with pytest.raises(NotFound):
        operators.apps.remove_secret(other.client_id, live[1].id)


def test_a_deleted_app_leaves_nothing(site: Site, operators: Operators) -> None:
    operators.groups.create("staff")
    made = operators.apps.create("web", replace(WEB, groups=("staff",))).app
    assert operators.apps.delete(made.client_id) == "Wiki"
    for table in (RegisteredApp, AppSecret, AppGroup):
        with site.services.db.read() as tx:
            assert tx.scalar(select(func.count()).select_from(table)) == 0
    for change in (operators.apps.delete, operators.apps.named, operators.apps.new_secret):
        with pytest.raises(refusals.UnknownApp):
            change(made.client_id)


def test_what_an_operator_does_to_apps_is_in_their_activity_and_the_log(site: Site, operators: Operators) -> None:
    ada = make(site)
    actor = Actor(ada.id, Origin("192.0.2.9", "Firefox"))
    with pytest.raises(NotFound):  # no operator, or not any more
        operators.groups.create("staff", actor)
    operators.roles.promote("ada")
    with capture_logs() as logged:
        operators.groups.create("staff", actor)
        operators.groups.add("staff", "ada", actor)
        operators.groups.remove("staff", "ada", actor)
        operators.groups.delete("staff", actor)
        name = operators.apps.create("web", WEB, actor).app.client_id
        operators.apps.change(name, WEB, actor)
        operators.apps.new_secret(name, actor)
        operators.apps.remove_secret(name, operators.apps.named(name).secrets[0].id, actor)
        operators.apps.delete(name, actor)
        with pytest.raises(refusals.UnknownApp):
            operators.apps.delete(name, actor)
    assert {(line["event"], line["operator"]) for line in logged} == {("operator_act", ada.id)}
    assert len(logged) == 9
    assert [sentence for sentence in said_to(site, ada) if sentence.startswith("You")] == [
        *("You added the group staff.", "You added @ada to the group staff."),
        *("You removed @ada from the group staff.", "You deleted the group staff."),
        *("You added the app Wiki.", "You changed the app Wiki.", "You generated a client secret for the app Wiki."),
        *("You removed a client secret of the app Wiki.", "You deleted the app Wiki."),
    ]


def test_resealing_includes_the_secrets_of_guarded_hosts(
    site: Site, operators: Operators, environ: dict[str, str], overrides: dict[str, Any]
) -> None:
    made = operators.apps.create("guarded", HOST)
    new = f"k9:{base64.b64encode(bytes(range(32, 64))).decode()}"
    old = ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in site.services.settings.encryption_keys)
    environ["NIGHTLATCH_ENCRYPTION_KEYS"] = f"{new},{old}"
    settings = Settings.read(environ, site.services.settings.instance)
    services = create_app(settings, clock=site.clock, **overrides).extensions["nightlatch"]
    assert services.maintenance.reseal() == 1
    (secret,) = rows(site, AppSecret)
    assert secret.sealed.startswith("k9")
    assert services.core.keyring.open(secret.sealed, app_secret_bound(made.app.id)) == made.secret


# -- Two operators at once ---------------------------------------------------------------------------


def at_once(act: Callable[[], Any]) -> list[Any]:
    """What two calls at the same time return, or the refusals that they raise."""

    def outcome(_number: int) -> Any:
        try:
            return act()
        except Refusal as refusal:
            return type(refusal)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(outcome, range(2)))


def test_two_that_add_one_member_add_it_once(site: Site, operators: Operators) -> None:
    ada = make(site)
    operators.groups.create("staff")
    added = at_once(lambda: operators.groups.add("staff", "ada"))
    assert sorted(account is None for account in added) == [False, True]
    assert len(rows(site, Membership)) == 1
    assert said_to(site, ada) == ["An administrator added you to the group staff."]
    assert sorted(account is None for account in at_once(lambda: operators.groups.remove("staff", "ada"))) == [
        False,
        True,
    ]


def test_two_that_make_one_group_or_host_make_it_once(operators: Operators) -> None:
    assert set(at_once(lambda: operators.groups.create("staff"))) == {"staff", refusals.GroupTaken}
    made = at_once(lambda: operators.apps.create("guarded", HOST))
    assert refusals.HostTaken in made
    assert len(operators.apps.all()) == 1


def test_two_that_draw_a_secret_never_leave_three(operators: Operators) -> None:
    name = operators.apps.create("web", WEB).app.client_id
    assert refusals.SecretsLimited in at_once(lambda: operators.apps.new_secret(name))
    at_once(lambda: operators.apps.new_secret(name, replace=True))
    assert len(operators.apps.named(name).secrets) == 2


def test_a_group_that_is_deleted_while_an_app_is_opened_to_it_leaves_none_or_both(operators: Operators) -> None:
    operators.groups.create("staff")

    def delete_or_use() -> Any:
        if turns.pop():
            return operators.groups.delete("staff")
        return operators.apps.create("web", replace(WEB, groups=("staff",)))

    turns = [True, False]
    outcome = at_once(delete_or_use)
    assert refusals.GroupInUse in outcome or refusals.AppGroupUnknown in outcome
    assert len(operators.groups.all()) == len(operators.apps.all())
