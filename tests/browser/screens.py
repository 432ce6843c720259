"""A list of every screen of the site, with the path to each. Tests and screenshots walk through the list.

Each screen names the state of its user, which is set up without a browser. What only a button shows is pressed in
the browser; buttons are found by their position, so that the walk works in any language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from playwright.sync_api import expect
from sqlalchemy import func, select, update

from tests.browser.live import OFFERED, Inside, LiveSite, Visitor
from tests.people import ANDROID, DESKTOP, FIREFOX, IPHONE, REQUESTS, TWO_FACTOR, Owner
from webapp.domain.origin import Origin
from webapp.domain.refusals import TextLimitReached
from webapp.models.codes import Link
from webapp.models.factors import Factor
from webapp.models.messages import FAILED, Message
from webapp.models.sessions import Session
from webapp.services.attempts import Bucket
from webapp.services.operators import COMMAND_LINE, AppOptions
from webapp.services.text_caps import stops

APP = f"{TWO_FACTOR}/authentication-app"
TEXT = f"{TWO_FACTOR}/text-message"
KEY = f"{TWO_FACTOR}/security-key"
KEYS = f"{TWO_FACTOR}/security-keys"
REQUEST = f"{TWO_FACTOR}/login-requests"
TEMPORARY = f"{TWO_FACTOR}/temporary-password"
ACCOUNT_EMAIL = "/settings/account/email"
USERNAME = "/settings/account/username"
TEXTED = "main [value=text-message]"
PRIMARY = "main form button.primary"
LINK_FORM = "main form[action$='/log-in/email-link']"
WRONG_PASSWORD = (("main [name=username]", "no-such-name"), ("main [name=password]", "a wrong password"))
EVERYWHERE = (DESKTOP, ANDROID, IPHONE)


@dataclass(frozen=True)
class Screen:
    name: str
    path: str
    """The path, or `{}` for one that only the user of the state knows; without it the user is there already."""
    who: str | None = None
    press: tuple[str, ...] = ()
    """The selectors that are pressed on the way from the path to the screen."""
    type: tuple[tuple[str, str], ...] = ()
    """What is typed before that, by selector; `{}` is the secret of the user."""
    sign: str = "main h1"
    """A selector that only this screen matches, when it follows a press."""
    has_fields: bool = False
    """Sending it empty shows errors."""
    status: int = 200
    layouts: tuple[str, ...] = EVERYWHERE
    own: bool = False
    """The screen can be reached only once by its user."""
    twin: str | None = None
    """Another screen with the same page and the same title."""
    is_closed: bool = False
    """The site has closed sign-up."""


SCREENS = (
    # Before log-in
    Screen("log-in", "/log-in", has_fields=True),
    Screen("log-in-refused", "/log-in", type=WRONG_PASSWORD, press=(PRIMARY,), sign=LINK_FORM, twin="log-in"),
    Screen("login-link-asked", "/log-in", type=WRONG_PASSWORD, press=(PRIMARY, f"{LINK_FORM} button"),
           sign="main p bdi"),
    Screen("login-link", "{}", "kept-out"),
    Screen("invitation", "{}", "invited", has_fields=True),
    Screen("sign-up", "/sign-up", has_fields=True),
    Screen("sign-up-closed", "/sign-up", is_closed=True),
    Screen("forgot-password", "/forgot-password", has_fields=True),
    Screen("forgot-password-sent", "/forgot-password", type=(("main [name=email]", "ada@example.org"),),
           press=(PRIMARY,), sign="main bdi"),
    Screen("reset-password", "{}", "forgetful", has_fields=True),
    Screen("link-dead", "/reset-password/0123456789abcdef", status=404),
    Screen("not-you", "{}", "suspicious"),
    Screen("not-you-moved", "{}", "suspicious-at-an-old-address", twin="not-you"),
    Screen("not-you-done", "{}", "protected"),
    Screen("not-you-too-late", "{}", "too-late", status=404, twin="link-dead"),
    Screen("undo-email", "{}", "moved"),
    Screen("undo-email-after-a-day", "{}", "moved-with-an-app", twin="undo-email"),
    # -- Pending login
    Screen("verify", "/log-in/verify", "pending", has_fields=True),
    Screen("choose-method", "/log-in/methods", "pending"),
    Screen("use-backup-code", "/log-in/backup-code", "pending", has_fields=True),
    Screen("backup-code-replaced", "/log-in/backup-code", "pending", type=(("main [name=code]", "{}"),),
           press=(PRIMARY,), sign=".card", own=True),
    Screen("verify-texted", "/log-in/verify", "pending-by-text", has_fields=True, twin="verify"),
    Screen("verify-not-delivered", "/log-in/verify", "pending-and-lost", twin="verify"),
    Screen("verify-cannot-text", "{}", "pending-and-stopped", press=(TEXTED,), sign="[role=alert]"),
    Screen("verify-by-key", "/log-in/verify", "pending-by-key"),
    Screen("choose-between-two", "/log-in/methods", "pending-by-text", twin="choose-method"),
    # A new user
    Screen("sign-up-email", "/sign-up/email", "newcomer", has_fields=True),
    Screen("sign-up-email-code", "/sign-up/email-code", "asked", has_fields=True),
    Screen("home-new", "/", "newcomer"),
    Screen("confirm-email", ACCOUNT_EMAIL, "newcomer", has_fields=True, twin="sign-up-email"),
    Screen("enroll-email", f"{APP}/email", "starting-without-email", has_fields=True),
    Screen("enroll-email-code", f"{APP}/email-code", "asked-while-enrolling", has_fields=True),
    # -- Settings
    Screen("home", "/", "enrolled", twin="home-new"),
    Screen("settings", "/settings", "member"),
    Screen("account", "/settings/account", "member"),
    Screen("security-and-access", "/settings/security-and-account-access", "member", layouts=(DESKTOP,)),
    Screen("security", "/settings/security", "member"),
    Screen("changed-and-not-you", "{}", "changing-password",
           type=(("main [name=password]", "seven brass wheels turning"),),
           press=(PRIMARY,), sign="#status .receipt a", own=True, twin="account"),
    Screen("sessions-one", "/settings/security/sessions", "member", twin="sessions-many"),
    Screen("sessions-many", "/settings/security/sessions", "with-browsers"),
    Screen("sessions-ended", "/settings/security/sessions", "with-browsers", press=("main [name=end]",),
           sign="#status .receipt", own=True, twin="sessions-many"),
    Screen("activity-short", "/settings/security/activity", "member", twin="activity-long"),
    Screen("activity-long", "/settings/security/activity", "with-browsers"),
    Screen("activity-older", "{}", "with-browsers", twin="activity-long"),
    Screen("not-you-logged-in", "/settings/security/not-you", "with-browsers", twin="not-you"),
    Screen("settings-privacy", "/settings/privacy", "member"),
    Screen("contacts", "/settings/privacy/contacts", "texted"),
    Screen("settings-language", "/settings/language", "member"),
    Screen("settings-display", "/settings/display", "member"),
    Screen("change-name", "/settings/account/name", "member", has_fields=True),
    Screen("change-username", USERNAME, "member", has_fields=True),
    Screen("change-username-waiting", USERNAME, "renaming", twin="change-username"),
    Screen("change-username-again", USERNAME, "renamed", twin="change-username"),
    Screen("keep-username", "{}", "renaming"),
    Screen("recovery-waiting", "/settings/security/recovery", "recovering", twin="stop-recovery"),
    Screen("stop-recovery", "{}", "recovering"),
    Screen("own-data", "/settings/account/data", "member"),
    Screen("delete-account", "/settings/account/delete", "member"),
    Screen("account-deleted", "/settings/account/delete", "member", press=("main button.danger",),
           sign="main [name=username]", own=True, twin="log-in"),
    Screen("home-after-deletion", "{}", "coming-back", own=True, twin="home-new"),
    Screen("change-password", "/settings/account/password", "member", has_fields=True),
    Screen("change-email", ACCOUNT_EMAIL, "member", has_fields=True),
    Screen("change-email-code", "/settings/account/email/code", "moving", has_fields=True, twin="sign-up-email-code"),
    Screen("email-undo", f"{ACCOUNT_EMAIL}/undo", "undone"),
    Screen("email-undo-not-stoppable", f"{ACCOUNT_EMAIL}/undo", "undone-before-the-app", twin="email-undo"),
    Screen("add-phone", "/settings/account/phone", "member", has_fields=True),
    Screen("change-phone", "/settings/account/phone", "texted", has_fields=True),
    Screen("change-phone-code", "/settings/account/phone/code", "changing-phone", has_fields=True),
    # -- Two-factor authentication
    Screen("methods-off", TWO_FACTOR, "member", twin="methods-on"),
    Screen("overview", f"{APP}/overview", "member"),
    Screen("enroll-password", f"{APP}/password", "starting-stale", has_fields=True),
    Screen("link", f"{APP}/link", "linking"),
    Screen("first-code", f"{APP}/code", "typing-code", has_fields=True),
    Screen("done", f"{APP}/done", "finished"),
    Screen("text-overview", f"{TEXT}/overview", "member"),
    Screen("text-password", f"{TEXT}/password", "starting-text", has_fields=True, twin="enroll-password"),
    Screen("text-phone", f"{TEXT}/phone", "giving-phone", has_fields=True),
    Screen("text-code", f"{TEXT}/code", "asked-by-text", has_fields=True),
    Screen("text-password-stopped", f"{TEXT}/password", "stopped", has_fields=True, twin="enroll-password"),
    Screen("text-code-unsent", f"{TEXT}/code", "not-texted", has_fields=True, twin="text-code"),
    Screen("text-done", f"{TEXT}/done", "texted", twin="done"),
    Screen("key-overview", f"{KEY}/overview", "member"),
    Screen("key-touch", f"{KEY}/touch", "touching"),
    Screen("key-name", f"{KEY}/name", "naming", has_fields=True),
    Screen("key-done", f"{KEY}/done", "keyed", twin="done"),
    Screen("keys", KEYS, "with-keys"),
    Screen("keys-none", KEYS, "member", twin="keys"),
    Screen("key-sole", KEYS, "with-one-key", twin="keys"),
    Screen("key-rename", "{}/rename", "with-keys", has_fields=True),
    Screen("key-delete", "{}/delete", "with-keys"),
    Screen("key-delete-last", "{}/delete", "with-one-key", twin="key-delete"),
    Screen("methods-with-keys", TWO_FACTOR, "with-keys", twin="methods-on"),
    Screen("requests-overview", f"{REQUEST}/overview", "member", layouts=(ANDROID, IPHONE)),
    Screen("requests-notifications", f"{REQUEST}/notifications", "asked-to-notify", layouts=(ANDROID, IPHONE)),
    Screen("requests-done", f"{REQUEST}/done", "phone-finished", layouts=(ANDROID,), twin="done"),
    Screen("phones", f"{TWO_FACTOR}/phones", "with-phone"),
    Screen("phones-none", f"{TWO_FACTOR}/phones", "member", twin="phones"),
    Screen("phone-rename", "{}/rename", "with-phone", has_fields=True),
    Screen("phone-delete", "{}/delete", "with-phone", twin="key-delete"),
    Screen("methods-with-phone", TWO_FACTOR, "with-phone", twin="methods-on"),
    Screen("requests", REQUESTS, "asked-to-approve"),
    Screen("requests-none", REQUESTS, "with-phone", twin="requests"),
    Screen("request", f"{REQUESTS}/{{}}", "asked-to-approve", has_fields=True),
    Screen("request-approved", f"{REQUESTS}/{{}}", "approved"),
    Screen("request-denied", f"{REQUESTS}/{{}}", "denied"),
    Screen("request-over", f"{REQUESTS}/{{}}", "cancelled"),
    Screen("waiting", "/log-in/waiting", "waiting"),
    Screen("waiting-ended", "/log-in/waiting", "waiting-in-vain", twin="waiting"),
    Screen("waiting-denied", "/log-in/waiting", "denied-elsewhere", twin="waiting"),
    Screen("step-up-waiting", "/step-up/waiting?next=/settings", "waiting-at-step-up", twin="waiting"),
    Screen("methods-on", TWO_FACTOR, "enrolled"),
    Screen("methods-both-on", TWO_FACTOR, "with-both", twin="methods-on"),
    Screen("text-overview-again", f"{TEXT}/overview", "with-both", twin="text-overview"),
    Screen("overview-again", f"{APP}/overview", "enrolled", twin="overview"),
    Screen("method-text", TEXT, "with-both"),
    Screen("method-app", APP, "enrolled"),
    Screen("turn-off", f"{APP}/turn-off", "enrolled"),
    Screen("turn-off-again", f"{APP}/turn-off?again=1", "enrolled", layouts=(IPHONE,), twin="turn-off"),
    Screen("turned-off", TWO_FACTOR, "off-again", twin="methods-on"),
    Screen("backup-code", f"{TWO_FACTOR}/backup-code", "enrolled"),
    Screen("backup-code-new", f"{TWO_FACTOR}/backup-code", "enrolled", press=(PRIMARY,), sign=".card", own=True,
           twin="backup-code-replaced"),
    Screen("backup-code-unsaved", f"{TWO_FACTOR}/backup-code", "with-an-unsaved-code", twin="backup-code"),
    Screen("home-unsaved", "/", "with-an-unsaved-code", twin="home-new"),
    Screen("temporary-password", TEMPORARY, "enrolled"),
    Screen("temporary-password-new", TEMPORARY, "enrolled", press=(PRIMARY,), sign=".card", own=True,
           twin="temporary-password"),
    Screen("temporary-password-used", TEMPORARY, "with-an-app", twin="temporary-password"),
    # -- Step-up
    Screen("step-up-password", "/step-up/password?next=/settings", "stale", has_fields=True),
    Screen("step-up-verify", "/step-up/verify?next=/settings", "stepping-up", has_fields=True, twin="verify"),
    Screen("step-up-methods", "/step-up/methods?next=/settings", "stepping-up", twin="choose-method"),
    Screen("step-up-backup-code", "/step-up/backup-code?next=/settings", "stepping-up", has_fields=True,
           twin="use-backup-code"),
    Screen("step-up-backup-code-replaced", "/step-up/backup-code?next=/settings", "stepping-up",
           type=(("main [name=code]", "{}"),), press=(PRIMARY,), sign=".card", own=True, twin="backup-code-replaced"),
    # -- The operator's pages
    Screen("operator-groups-none", "/operator/groups", "operator-at-first", has_fields=True, twin="operator-groups"),
    Screen("operator-apps-none", "/operator/apps", "operator-at-first", twin="operator-apps"),
    Screen("settings-of-operator", "/settings", "operator", twin="settings"),
    Screen("operator", "/operator", "operator"),
    Screen("operator-no-key", "/operator", "operator-without-key", status=403, twin="operator"),
    Screen("operator-groups", "/operator/groups", "operator", has_fields=True),
    Screen("operator-group", "/operator/groups/staff", "operator", has_fields=True),
    Screen("operator-group-delete", "/operator/groups/staff/delete", "operator"),
    Screen("operator-accounts", "/operator/accounts", "operator", has_fields=True),
    Screen("operator-account", "/operator/accounts/{}", "operator-of-people"),
    Screen("operator-account-own", "{}", "operator-of-operators", twin="operator-account"),
    Screen("operator-account-lock", "/operator/accounts/{}/lock", "operator-of-people"),
    Screen("operator-account-recover", "/operator/accounts/{}/recover", "operator-of-people", has_fields=True),
    Screen("operator-invite", "/operator/invitations", "operator", has_fields=True),
    Screen("operator-messages", "/operator/messages", "operator"),
    Screen("operator-message-test", "/operator/messages", "operator", press=(PRIMARY,), sign="main .facts"),
    Screen("operator-apps", "/operator/apps", "operator"),
    Screen("operator-app-new", "/operator/apps/new", "operator"),
    Screen("operator-app-added", "/operator/apps/new", "operator",
           type=(("main [name=name]", "Wiki"), ("main [name=redirect_uris]", "https://wiki.example.org/callback")),
           press=(PRIMARY,), sign=".card", own=True),
    Screen("operator-app", "/operator/apps/{}", "operator"),
    Screen("operator-app-public", "/operator/apps/{}", "operator-of-a-public-app", twin="operator-app"),
    Screen("operator-host", "/operator/apps/{}?method=GET&path=/assets", "operator-of-a-host"),
    Screen("operator-host-proxy", "/operator/apps/{}/proxies/nginx", "operator-of-a-host"),
    Screen("operator-app-delete", "/operator/apps/{}/delete", "operator"),
    Screen("operator-secret-remove", "{}", "operator-of-a-secret"),
    # -- Logging in to apps
    Screen("app-consent", "{}", "asked-for-consent"),
    Screen("app-needs-key", "{}", "asked-for-a-key"),
    Screen("app-forbidden", "{}", "kept-from-an-app", status=403),
    Screen("app-unanswerable", "/oauth/authorize", status=400),
    Screen("app-log-out", "/oauth/log-out", "member"),
    Screen("device-code", "/device", "member", has_fields=True),
    Screen("device", "{}", "connecting-a-device"),
    Screen("connected-apps", "/settings/security/apps", "connected"),
    Screen("connected-apps-none", "/settings/security/apps", "member", twin="connected-apps"),
    # -- The site itself
    Screen("help", "/help/two-factor-authentication"),
    Screen("cannot-log-in", "/help/cannot-log-in"),
    Screen("about", "/about"),
    Screen("terms", "/terms"),
    Screen("privacy", "/privacy", "member"),
    Screen("status", "/status"),
    Screen("not-found", "/nothing-here", status=404),
    Screen("outbox", "/outbox", "texted"),
)  # fmt: skip


YUBIKEY = UUID("2fc0579f-8113-47ea-b116-bb5a8db9202a").bytes
IPHONES_OWN = {
    *("overview", "text-overview", "methods-off", "methods-on", "methods-both-on"),
    *("turn-off", "turn-off-again", "turned-off", "requests-notifications"),
}
"""The screens of an iPhone that differ from those of other phones."""


def of(layout: str) -> list[Screen]:
    """Every screen; on an iPhone only those that differ from another phone's."""
    return [
        screen for screen in SCREENS if layout in screen.layouts and (layout != IPHONE or screen.name in IPHONES_OWN)
    ]


def named(name: str) -> Screen:
    return next(screen for screen in SCREENS if screen.name == name)


@dataclass
class Stage:
    """Shows screens to a visitor and creates their users, each once where possible.

    A user is shown at the time when it was ready, because what is pending expires.
    """

    visitor: Visitor
    people: dict[str, UserWithSecret] = field(default_factory=dict)
    made: int = 0

    def show(self, screen: Screen) -> None:
        who = self._person(screen)
        if who is not None:
            self.visitor.site.clock.turn_to(who.ready_at)
        known = who.known if who is not None else ""
        self.visitor.watch.expected = {422, screen.status}
        self.visitor.become(who)
        with self.visitor.site.sign_up_closed(screen.is_closed):
            self.visitor.open(screen.path.format(known))
        page = self.visitor.page
        wanted = screen.path.partition("?")[0]
        assert "{}" in screen.path or page.url.partition("?")[0].endswith(wanted), f"{screen.name}: {page.url}"
        for selector, text in screen.type:
            page.fill(selector, text.format(known))
        for selector in screen.press:
            page.click(selector)
        if screen.press:
            page.locator(screen.sign).first.wait_for()
            self._settled()

    def send_empty(self) -> None:
        """Sends the form of the present screen empty, which then shows its errors."""
        page = self.visitor.page
        for box in page.locator("main form:has(button.primary) input:visible:not([type=checkbox])").all():
            box.fill("")
        page.click(f"{PRIMARY}, main form button.danger")
        expect(page.get_by_role("alert")).to_be_focused()
        expect(page).to_have_title(re.compile(f"^{re.escape(says_error(self.visitor.language))}"))

    def _settled(self) -> None:
        """The title changes last."""
        words = self.visitor.page.locator("main h1").inner_text().split()
        heading = r"\s+".join(map(re.escape, words))  # some languages have no-break spaces
        error = re.escape(says_error(self.visitor.language))
        expect(self.visitor.page).to_have_title(re.compile(f"^({error})?{heading}"))

    def _person(self, screen: Screen) -> UserWithSecret | None:
        if screen.who is None:
            return None
        if screen.own:
            return self._make(screen.who)
        if screen.who not in self.people:
            self.people[screen.who] = self._make(screen.who)
        return self.people[screen.who]

    def _make(self, state: str) -> UserWithSecret:
        self.made += 1
        clock = self.visitor.site.clock
        clock.turn_to(max([clock.now(), *(person.ready_at for person in self.people.values())]))
        person = UserWithSecret(self.visitor.site, f"ada{self.made}", layout=self.visitor.layout)
        person.address = f"192.{self.made // 256}.{self.made % 256}.1"  # so that no two of them share a rate limit
        person.phone = f"+4179{self.made:03}4567"
        STATES[state](person)
        person.ready_at = clock.now()
        return person


class UserWithSecret(Inside):
    """A user with a secret for the screen: a backup code, or a link from an e-mail."""

    known: str = ""
    phone: str = ""
    ready_at: int = 0

    def texted(self) -> str:
        return self.site.texted_code(self.phone)


State = Callable[[UserWithSecret], None]


def _newcomer(person: UserWithSecret) -> None:
    person.sign_up(confirm_email=False)


def _asked(person: UserWithSecret) -> None:
    _newcomer(person)
    person.open("/sign-up/email")
    person.press("Next", email=person.email)


def _member(person: UserWithSecret) -> None:
    person.sign_up()


def _starting(person: UserWithSecret) -> None:
    person.open(f"{APP}/overview")
    person.press("Got it" if person.layout == IPHONE else "Start")


def _starting_without_email(person: UserWithSecret) -> None:
    _newcomer(person)
    _starting(person)


def _asked_while_enrolling(person: UserWithSecret) -> None:
    _starting_without_email(person)
    person.press("Next", email=person.email)


def _moving(person: UserWithSecret) -> None:
    _member(person)
    person.open(ACCOUNT_EMAIL)
    person.press("Save", email=f"new-{person.email}")


def _moved(person: UserWithSecret) -> None:
    _member(person)
    _move(person)


def _move(person: UserWithSecret) -> None:
    person.open(ACCOUNT_EMAIL)
    person.press("Save", email=f"new-{person.email}")
    person.press("Verify", code=person.site.emailed_code(f"new-{person.email}"))
    person.known = person.site.emailed_path(person.email, "/undo-email/")


def _moved_with_an_app(person: UserWithSecret) -> None:
    """The address was changed after the app was turned on."""
    _enrolled(person)
    person.site.clock.pass_(1)
    _move(person)


def _undone(person: UserWithSecret) -> None:
    """Someone used the link to undo the change, and the user logged in with the app, which is older."""
    _moved_with_an_app(person)
    _undo(person)


def _undone_before_the_app(person: UserWithSecret) -> None:
    _moved(person)
    person.site.clock.pass_(1)
    person.turn_on_app()
    person.press("Got it")
    _undo(person)


def _undo(person: UserWithSecret) -> None:
    reader = person.other_browser()
    reader.open(person.site.emailed_path(person.email, "/undo-email/"))
    reader.press("Undo the change")
    person.log_in_whole()


def _renaming(person: UserWithSecret) -> None:
    """Asked for another username, and the change waits."""
    _member(person)
    person.open(USERNAME)
    person.press("Save", username=f"countess{person.username}")
    person.known = person.site.emailed_path(person.email, "/keep-username/")


def _recovering(person: UserWithSecret) -> None:
    """An operator started the recovery of the account."""
    person.sign_up()
    person.turn_on_app()
    person.site.services.operators.recoveries.start(person.username, "Lost the phone", COMMAND_LINE)
    person.known = person.site.emailed_path(person.email, "/stop-recovery/")


def _renamed(person: UserWithSecret) -> None:
    """The change took effect."""
    _renaming(person)
    person.site.services.accounts.rename(person.username, f"countess{person.username}")


def _coming_back(person: UserWithSecret) -> None:
    """Deleted the account, and logged in again."""
    _member(person)
    person.open("/settings/account/delete")
    person.press("Delete my account")
    person.open("/log-in")
    follow = {"csrf_token": person.token(), "username": person.username, "password": person.password}
    person.send("POST", "/log-in", follow=False, data=follow)
    person.known = "/"


def _invited(person: UserWithSecret) -> None:
    person.site.services.invitations.send(person.email, person.username, "Ada Lovelace")
    person.known = person.site.emailed_path(person.email, "/invite/")


def _kept_out(person: UserWithSecret) -> None:
    """Asked for a link to log in, in a browser that was not known."""
    _member(person)
    person.log_out()
    asking = person.other_browser()
    asking.log_in("a wrong password")
    asking.press("Email me a link to log in here")
    person.known = person.site.emailed_path(person.email, "/log-in/here/")


def _with_an_unsaved_code(person: UserWithSecret) -> None:
    """Generated a new backup code, and left its page before Got it."""
    _enrolled(person)
    person.open(f"{TWO_FACTOR}/backup-code")
    person.press("Generate a new code")


def _starting_stale(person: UserWithSecret) -> None:
    _member(person)
    _prove_long_ago(person)
    _starting(person)


def _linking(person: UserWithSecret) -> None:
    _member(person)
    _starting(person)


def _typing_code(person: UserWithSecret) -> None:
    _linking(person)
    person.press("Next")


def _finished(person: UserWithSecret) -> None:
    _member(person)
    person.turn_on_app()
    person.known = person.kept_code


def _enrolled(person: UserWithSecret) -> None:
    _finished(person)
    person.press("Got it")


def _pending(person: UserWithSecret) -> None:
    _enrolled(person)
    person.log_in_again()


def _touching(person: UserWithSecret) -> None:
    _member(person)
    person.open(f"{KEY}/overview")
    person.press("Start")


def _naming(person: UserWithSecret) -> None:
    _touching(person)
    person.key = person.new_key(aaguid=YUBIKEY)
    assert person.page is not None
    person.press("Use security key", credential=person.key.create(person.page.options()))


def _keyed(person: UserWithSecret) -> None:
    """On the last page of the enrollment, with the backup code still to be shown."""
    _naming(person)
    person.press("Save")
    person.known = f"{KEYS}/{_newest_factor(person)}"


def _with_one_key(person: UserWithSecret) -> None:
    _keyed(person)
    person.press("Got it")


def _with_keys(person: UserWithSecret) -> None:
    """One portable key, one in this device, and an app."""
    _with_one_key(person)
    person.turn_on_app()
    person.turn_on_key(
        person.new_key(transports=("internal", "hybrid"), backup_eligible=True, backed_up=True), "Pixel 9"
    )


def _pending_by_key(person: UserWithSecret) -> None:
    _with_one_key(person)
    person.log_in_again()


def _operator_without_key(person: UserWithSecret) -> None:
    _member(person)
    person.site.services.operators.roles.promote(person.username)


def _operator_at_first(person: UserWithSecret) -> None:
    """Has used the key, and added nothing."""
    _with_one_key(person)
    person.site.services.operators.roles.promote(person.username)


def _operator(person: UserWithSecret, kind: str = "web") -> None:
    """With a group and an app, whose client id is known."""
    _operator_at_first(person)
    operators, uris = person.site.services.operators, ("https://wiki.example.org/callback",)
    made = operators.apps.create(kind, AppOptions("Wiki", redirect_uris=uris))
    person.known = made.app.client_id
    if "staff" not in [group.name for group in operators.groups.all()]:
        operators.groups.create("staff")
    operators.groups.add("staff", person.username)


def _operator_of_people(person: UserWithSecret) -> None:
    """With another account, which has an app and logged in."""
    _operator_at_first(person)
    other = UserWithSecret(person.site, f"grace{person.username}", layout=person.layout)
    other.address = person.address.removesuffix(".1") + ".2"
    other.sign_up()
    other.turn_on_app()
    person.known = other.username


def _operator_of_operators(person: UserWithSecret) -> None:
    _operator_at_first(person)
    person.known = f"/operator/accounts/{person.username}"


def _operator_of_a_public_app(person: UserWithSecret) -> None:
    _operator(person, "public")


def _operator_of_a_host(person: UserWithSecret) -> None:
    """Of a guarded host with rules. Each person has another, because no two apps have one host."""
    _operator_at_first(person)
    rules = ("public GET /assets", "key /admin", "deny /internal")
    options = AppOptions("Files", host=f"{person.username}.example.org".replace("_", "-"), rules=rules)
    person.known = person.site.services.operators.apps.create("guarded", options).app.client_id


def _operator_of_a_secret(person: UserWithSecret) -> None:
    _operator(person)
    (secret,) = person.site.services.operators.apps.named(person.known).secrets
    person.known = f"/operator/apps/{person.known}/secrets/{secret.id}/remove"


def _asked_for_consent(person: UserWithSecret, **options: Any) -> None:
    """An app has sent them here, and waits for an answer."""
    _member(person)
    uris, scopes = ("https://wiki.example.org/callback",), "openid profile email phone groups offline_access"
    app = person.site.services.operators.apps.create("web", AppOptions("Wiki", redirect_uris=uris, **options)).app
    asked = {"client_id": app.client_id, "redirect_uri": uris[0], "response_type": "code", "scope": scopes}
    proof = {"code_challenge": "x" * 43, "code_challenge_method": "S256", "prompt": "select_account"}
    page = person.open(f"/oauth/authorize?{urlencode({**asked, **proof})}")
    person.known = page.response.request.full_path


def _asked_for_a_key(person: UserWithSecret) -> None:
    _asked_for_consent(person, proof="key")


def _kept_from_an_app(person: UserWithSecret) -> None:
    groups = person.site.services.operators.groups
    if "staff" not in [group.name for group in groups.all()]:
        groups.create("staff")
    _asked_for_consent(person, groups=("staff",))


def _connecting_a_device(person: UserWithSecret) -> None:
    """They have typed the code of a television."""
    _member(person)
    options = AppOptions("Films", device_allowed=True)
    app = person.site.services.operators.apps.create("public", options).app
    asked = {"client_id": app.client_id, "scope": "openid profile email"}
    code = person.send(
        "POST", "/oauth/device", data=asked, host=person.site.services.settings.main_host
    ).response.get_json()["user_code"]
    person.open("/device")
    person.known = person.press("Continue", code=code).response.request.full_path


def _connected(person: UserWithSecret) -> None:
    _asked_for_consent(person)
    person.open(person.known)
    person.press("Continue")


def _newest_factor(person: UserWithSecret) -> int:
    with person.site.services.db.read() as tx:
        return tx.scalars(select(func.max(Factor.id))).one() or 0


def _starting_text(person: UserWithSecret) -> None:
    _member(person)
    _start_text(person)


def _start_text(person: UserWithSecret) -> None:
    person.open(f"{TEXT}/overview")
    person.press("Get started" if person.layout == IPHONE else "Next")


def _giving_phone(person: UserWithSecret) -> None:
    _starting_text(person)
    person.press("Verify", password=person.password)


def _asked_by_text(person: UserWithSecret) -> None:
    _giving_phone(person)
    person.press("Next", phone=person.phone)


def _texted(person: UserWithSecret) -> None:
    """On the last page of the enrollment, with the backup code still to be shown."""
    _asked_by_text(person)
    person.press("Verify", code=person.texted())


def _stopped(person: UserWithSecret) -> None:
    """Has a confirmed number and has reached the limit of texts per hour."""
    _member(person)
    _change_phone(person)
    person.press("Verify", code=person.texted())
    person.site.clock.pass_(60)
    _spend_texts(person)
    _start_text(person)


def _not_texted(person: UserWithSecret) -> None:
    _stopped(person)
    person.press("Verify", password=person.password)


def _with_both(person: UserWithSecret) -> None:
    _enrolled(person)
    _start_text(person)
    person.press("Verify", password=person.password)
    person.press("Next", phone=person.phone)
    person.press("Verify", code=person.texted())


def _changing_password(person: UserWithSecret) -> None:
    _member(person)
    person.known = "/settings/account/password"


def _changing_phone(person: UserWithSecret) -> None:
    _member(person)
    _change_phone(person)


def _change_phone(person: UserWithSecret) -> None:
    person.open("/settings/account/phone")
    person.press("Save", phone=person.phone)


def _pending_by_text(person: UserWithSecret) -> None:
    _with_both(person)
    person.log_out()
    person.site.clock.pass_(60)
    person.log_in()
    _choose_text(person)


def _choose_text(person: UserWithSecret) -> None:
    person.open("/log-in/methods")
    person.press(next(button for button in person.page.buttons if button.startswith("Text message")))


def _pending_and_lost(person: UserWithSecret) -> None:
    """The gateway accepted the text, and a receipt said that it failed."""
    _pending_by_text(person)
    with person.site.services.db.write() as tx:
        tx.execute(update(Message).where(Message.template == "code").values(state=FAILED))


def _pending_and_stopped(person: UserWithSecret) -> None:
    _with_both(person)
    person.log_out()
    person.site.clock.pass_(60)
    _spend_texts(person)
    person.log_in()
    person.known = "/log-in/methods"


def _spend_texts(person: UserWithSecret) -> None:
    services = person.site.services
    account = services.accounts.named(person.username)
    rule = stops("account", *services.settings.policy.text_sends)
    for _ in range(services.settings.policy.text_sends[0].most):
        try:
            services.attempts.count(Bucket(f"text-account:{account.id}", rule))
        except TextLimitReached:
            return


def _forgot_password(person: UserWithSecret) -> None:
    _member(person)
    person.open("/forgot-password")
    person.press("Send link", email=person.email)
    person.known = person.site.emailed_path(person.email, "/reset-password/")


def _suspicious(person: UserWithSecret) -> None:
    _enrolled(person)
    person.known = person.site.emailed_path(person.email, "/not-you/")
    person.log_out()


def _suspicious_at_an_old_address(person: UserWithSecret) -> None:
    _moving(person)
    person.known = person.site.emailed_path(person.email, "/not-you/")
    person.press("Verify", code=person.site.emailed_code(f"new-{person.email}"))
    person.log_out()


def _protected(person: UserWithSecret) -> None:
    _suspicious(person)
    person.open(person.known)
    person.press("Log out all devices")


def _too_late(person: UserWithSecret) -> None:
    _suspicious(person)
    account = person.site.services.accounts.named(person.username)
    with person.site.services.db.write() as tx:
        tx.execute(update(Link).where(Link.account_id == account.id).values(expires_at=0))


def _with_browsers(person: UserWithSecret) -> None:
    """Two more sessions: in a remembered browser and in an unknown program."""
    _enrolled(person)
    site = person.site
    for address, agent in (("203.0.113.7", FIREFOX), ("2001:db8:85a3:1234:5678:8a2e:370:7334", "curl/8.5.0")):
        other = UserWithSecret(site, person.username, layout=person.layout, address=address, agent=agent)
        other.secret = person.secret
        other.log_in()
        other.press("Verify", code=other.next_code(), **({"remember": "y"} if agent == FIREFOX else {}))
    with site.services.db.write() as tx:
        for _ in range(30):
            origin = Origin(person.address, FIREFOX)
            site.services.notices.record(tx, site.services.accounts.named(person.username).id, "stepped-up", origin)
    person.known = person.open("/settings/security/activity").link("Older")


def _with_an_app(person: UserWithSecret) -> None:
    """Generated a temporary password, and used it from a mail program some minutes ago."""
    _enrolled(person)
    person.open(TEMPORARY)
    person.press("Generate temporary password")
    secret = str(person.page.soup.find(attrs={"data-copy": True})["data-copy"])
    person.site.clock.pass_(120)
    app = Origin(person.address, "Thunderbird/128.5.0")
    person.site.services.legacy_access.by_password(person.username, secret, app)
    person.site.clock.pass_(180)


def _stale(person: UserWithSecret) -> None:
    _member(person)
    _prove_long_ago(person)


def _stepping_up(person: UserWithSecret) -> None:
    _enrolled(person)
    _prove_long_ago(person, second_factor_at=0)


def _off_again(person: UserWithSecret) -> None:
    _enrolled(person)
    person.open(f"{APP}/turn-off")
    person.press("Turn off")
    if person.layout == IPHONE:
        person.press("Turn off")


def _prove_long_ago(person: UserWithSecret, **times: int) -> None:
    site: LiveSite = person.site
    account = site.services.accounts.named(person.username)
    values = times or {"password_at": 0}
    with site.services.db.write() as tx:
        tx.execute(update(Session).where(Session.account_id == account.id).values(values))


def _asked_to_notify(person: UserWithSecret) -> None:
    _member(person)
    person.open(f"{REQUEST}/overview")
    person.press("Next")
    person.press("Verify", password=person.password)


def _phone_finished(person: UserWithSecret) -> None:
    _member(person)
    person.turn_on_requests()


def _with_phone(person: UserWithSecret) -> None:
    """On any layout: on a computer the phone is another one, whose token cookie was copied."""
    layout = person.layout
    _member(person)
    if layout == DESKTOP:
        holder = person.log_in_elsewhere(layout=ANDROID)
        holder.turn_on_requests()
        person.log_in()
        person.client.set_cookie("phone", holder.cookie("phone") or "", domain=person.host.split(":")[0])
        assert person.page is not None
        number = person.page.number
        holder.answer(number)
        person.post("/log-in/waiting")
    else:
        person.turn_on_requests()
        person.press("Got it")
    page = person.open(f"{TWO_FACTOR}/phones")
    rename = next(link for link in page.links if link.startswith("Rename "))
    person.known = page.link(rename).removesuffix("/rename")


def _elsewhere(person: UserWithSecret) -> Owner:
    _with_phone(person)
    person.site.clock.pass_(1)
    browser = person.log_in_elsewhere(layout=DESKTOP)
    assert browser.page is not None
    assert browser.page.number
    return browser


def _asked_to_approve(person: UserWithSecret) -> None:
    _elsewhere(person)
    page = person.open(REQUESTS)
    review = next(link for link in page.links if link.startswith("Review "))
    person.known = page.link(review).rpartition("/")[2]


def _approved(person: UserWithSecret) -> None:
    browser = _elsewhere(person)
    assert browser.page is not None
    person.known = person.answer(browser.page.number).path.rpartition("/")[2]


def _denied(person: UserWithSecret) -> None:
    _elsewhere(person)
    person.known = person.answer(button="Deny").path.rpartition("/")[2]


def _cancelled(person: UserWithSecret) -> None:
    _asked_to_approve(person)
    person.open(f"{REQUESTS}/{person.known}")
    person.press("It was me, cancel")


def _waiting(person: UserWithSecret) -> None:
    _with_phone(person)
    services = person.site.services
    account, phones = services.accounts.named(person.username), services.phone_numbers
    with services.db.write() as tx:
        phones.keep(tx, account, phones.read(person.phone, ""))
    person.log_in_again()


def _waiting_and_expired(person: UserWithSecret) -> None:
    _waiting(person)
    person.answer(button="It was me, cancel")


def _denied_elsewhere(person: UserWithSecret) -> None:
    _waiting(person)
    person.answer(button="Deny")


def _waiting_at_step_up(person: UserWithSecret) -> None:
    _with_phone(person)
    _prove_long_ago(person)
    person.open("/step-up/password?next=/settings")
    person.press("Verify", password=person.password)


STATES: dict[str, State] = {
    "operator-without-key": _operator_without_key,
    "operator-at-first": _operator_at_first,
    "operator": _operator,
    "operator-of-people": _operator_of_people,
    "operator-of-operators": _operator_of_operators,
    "operator-of-a-public-app": _operator_of_a_public_app,
    "operator-of-a-host": _operator_of_a_host,
    "operator-of-a-secret": _operator_of_a_secret,
    "asked-for-consent": _asked_for_consent,
    "connecting-a-device": _connecting_a_device,
    "asked-for-a-key": _asked_for_a_key,
    "kept-from-an-app": _kept_from_an_app,
    "connected": _connected,
    "asked-to-notify": _asked_to_notify,
    "phone-finished": _phone_finished,
    "with-phone": _with_phone,
    "asked-to-approve": _asked_to_approve,
    "approved": _approved,
    "denied": _denied,
    "cancelled": _cancelled,
    "waiting": _waiting,
    "waiting-in-vain": _waiting_and_expired,
    "denied-elsewhere": _denied_elsewhere,
    "waiting-at-step-up": _waiting_at_step_up,
    "newcomer": _newcomer,
    "asked": _asked,
    "member": _member,
    "starting-without-email": _starting_without_email,
    "asked-while-enrolling": _asked_while_enrolling,
    "moving": _moving,
    "moved": _moved,
    "moved-with-an-app": _moved_with_an_app,
    "undone": _undone,
    "undone-before-the-app": _undone_before_the_app,
    "renaming": _renaming,
    "recovering": _recovering,
    "renamed": _renamed,
    "coming-back": _coming_back,
    "invited": _invited,
    "kept-out": _kept_out,
    "with-an-unsaved-code": _with_an_unsaved_code,
    "starting-stale": _starting_stale,
    "linking": _linking,
    "typing-code": _typing_code,
    "finished": _finished,
    "enrolled": _enrolled,
    "pending": _pending,
    "starting-text": _starting_text,
    "giving-phone": _giving_phone,
    "asked-by-text": _asked_by_text,
    "texted": _texted,
    "stopped": _stopped,
    "not-texted": _not_texted,
    "with-both": _with_both,
    "changing-phone": _changing_phone,
    "touching": _touching,
    "naming": _naming,
    "keyed": _keyed,
    "with-one-key": _with_one_key,
    "with-keys": _with_keys,
    "pending-by-key": _pending_by_key,
    "changing-password": _changing_password,
    "pending-by-text": _pending_by_text,
    "pending-and-lost": _pending_and_lost,
    "pending-and-stopped": _pending_and_stopped,
    "forgetful": _forgot_password,
    "suspicious": _suspicious,
    "with-an-app": _with_an_app,
    "suspicious-at-an-old-address": _suspicious_at_an_old_address,
    "protected": _protected,
    "too-late": _too_late,
    "with-browsers": _with_browsers,
    "stale": _stale,
    "stepping-up": _stepping_up,
    "off-again": _off_again,
}


def says_error(language: str) -> str:
    """What the title of a page with errors begins with."""
    return OFFERED[language].translations.gettext("Error: %(title)s").partition("%")[0]


def walk(stage: Stage, *, twins: bool = True) -> Iterator[Screen]:
    """Every screen of the visitor's layout in turn. Without `twins` each template is shown once, in the state that
    shows most of it."""
    for screen in of(stage.visitor.layout):
        if not screen.twin or twins:
            stage.show(screen)
            yield screen
