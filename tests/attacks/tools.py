"""Tools of the attack tests: routes, tokens, cookies, and the contents of the whole database."""

from __future__ import annotations

import time
from base64 import b32encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from sqlalchemy import select, text

from tests.conftest import Site
from tests.people import HOST, IPHONE, Owner, Person
from webapp.domain.codes import grouped
from webapp.domain.phone_numbers import PhoneNumber
from webapp.models.factors import Factor, factor_bound, sole_external_id
from webapp.models.migrate import METADATA
from webapp.models.sessions import Session
from webapp.models.user import User
from webapp.services.backup_codes import BackupCodes
from webapp.web import cookies
from webapp.web.csrf import masked

DOMAIN = "nightlatch.localhost"
OPEN_TO_ALL = {
    "entrance.log_in",
    "entrance.passkey_options",  # asks for any passkey and reveals nothing
    "entrance.log_out",
    "entrance.sign_up",
    "entrance.forgot_password",
    "entrance.forgot_password_sent",
    "entrance.reset_password",
    "entrance.invitation",
    "login_links.ask",  # the same for every name
    "login_links.use",
    "not_you.mailed",
    "entrance.undo_email",
    "own_account.keep_username",
    "recoveries.stop_by_link",
    "site.delivery",  # its message ids are signed
    "challenge.verify",
    "challenge.methods",
    "challenge.waiting",
    "challenge.news",
    "web_app.manifest",
    "web_app.service_worker",
    "web_app.offline",
    "challenge.backup_code",
    "app_logins.authorize",  # the request of an app, which it may send to anyone; it leads to the log-in
    "app_logins.consent",
    "guarded_logins.log_in",
    "app_logins.log_out",
    "app_logins.logged_out_of",  # only to an address that the app registered
    "help.two_factor",
    "help.cannot_log_in",
    "site.about",
    "site.terms",
    "site.privacy",
    "site.status",
    "site.language",
    "site.cookie_notice",
    "site.choose_desktop",
    "site.choose_mobile",
    "outbox.messages",
    "assets.static",
}
"""Pages that need no log-in. A new one is added here deliberately."""
BOOKKEEPING = {"attempts", "messages", "site_values"}
"""Tables in which a refused request may leave rows."""
NOTED = {"attempts", "refused_requests"}
"""Those in which a refused request of an app is noted, for `flask why`."""


@dataclass(frozen=True)
class Route:
    page: str
    layout: str
    path: str
    methods: frozenset[str]

    @property
    def is_open(self) -> bool:
        return self.page in OPEN_TO_ALL


def routes(site: Site) -> Iterator[Route]:
    """Every page on both hosts, with each step of each method."""
    adapter = site.app.url_map.bind("nightlatch.localhost:5000", url_scheme="http")
    for rule in site.app.url_map.iter_rules():
        layout, _, page = rule.endpoint.partition(".")
        if layout not in ("desktop", "mobile"):
            continue
        given = dict(rule.defaults or {})
        for arguments in _arguments(site, rule.arguments - given.keys(), page):
            arguments |= given
            path = "/" + adapter.build(rule.endpoint, arguments, force_external=True).split("/", 3)[3]
            yield Route(page, "desktop" if layout == "desktop" else "android", path, frozenset(rule.methods or ()))


def _arguments(site: Site, names: set[str], page: str) -> Iterator[dict[str, str]]:
    known = {
        "factor": "1",
        "request_id": "1",
        "token": "0" * 64,
        "layout": "desktop",
        "message": "x",
        "version": "v",
        "client_id": "0" * 32,
        "secret": "1",
        "group_name": "staff",
        "username": "ada",
        "act": "lock",
        "proxy": "nginx",
        "name": "js/site.js",
    }
    if "method" not in names:
        yield {name: known[name] for name in names}
        return
    for method in site.services.methods:
        if "step" not in names:
            yield {"method": method.slug}
            continue
        for step in method.steps():
            yield {"method": method.slug, "step": step.slug}


def enrolled(site: Site, username: str) -> Owner:
    """A user with a confirmed address, an authentication app and a backup code, who never logged in."""
    return enroll(Owner(site, username))


def enroll(owner: Owner) -> Owner:
    site, services = owner.site, owner.site.services
    account = services.sign_up.create_by_operator(
        "Ada Lovelace", owner.username, owner.password, owner.email, confirmed=True
    )
    owner.secret = b32encode(sha256(owner.username.encode()).digest()[:20]).decode()
    bound = factor_bound(account.id, "authentication-app")
    keyring = services.core.keyring
    factor = {"account_id": account.id, "method": "authentication-app", "sealed": keyring.seal(owner.secret, bound)}
    with services.db.write() as tx:
        tx.objects.add(Factor(**factor, external_id=sole_external_id(account.id), added_at=site.clock.now()))
        owner.kept_code = grouped(BackupCodes(services.core).make(tx, account.id))
    return owner


def everything(site: Site, *, but: set[str] = BOOKKEEPING) -> dict[str, list[tuple[Any, ...]]]:
    """Every row, to compare before and after."""
    with site.services.db.engine.connect() as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(select(table)))
            for table in METADATA.sorted_tables
            if table.name not in but
        }


def stored(site: Site) -> dict[str, bytes]:
    """What the database holds: the rows of each table, and on SQLite its files."""
    places = {name: repr(rows).encode() for name, rows in everything(site, but=set()).items()}
    url = site.services.settings.database_url
    if url.startswith("sqlite"):
        files = Path(url.removeprefix("sqlite:///")).parent.iterdir()
        places |= {file.name: file.read_bytes() for file in files}
    return places


def count(site: Site, query: str, **values: Any) -> int:
    with site.services.db.engine.connect() as connection:
        return int(connection.execute(text(query), values).scalar_one())


def account_id(site: Site, username: str = "ada") -> int:
    return site.services.accounts.named(username).id


def second_factor_attempts(site: Site, username: str = "ada") -> int:
    name = f"second-factor:{account_id(site, username)}"
    return count(site, "SELECT count(*) FROM attempts WHERE bucket = :name", name=name)


def unguessable_attempts(site: Site, username: str = "ada") -> int:
    """Wrong keys and backup codes of the account, which are counted apart from codes."""
    name = f"unguessable:{account_id(site, username)}:%"
    return count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE :name", name=name)


def live_sessions(site: Site, username: str = "ada") -> int:
    mine = Session.account_id == account_id(site, username), Session.ended_at.is_(None)
    with site.services.db.read() as tx:
        return len(tx.scalars(select(Session.id).where(*mine)).all())


def is_in(person: Person) -> bool:
    """Whether the settings open."""
    return person.open("/settings", follow=False).status == 200


def cookies_of(person: Person, host: str | None = None) -> dict[str, str]:
    domain = (host or person.host).split(":")[0]
    jar = person.client._cookies
    return {cookie.key: cookie.value for cookie in jar.values() if cookie.domain == domain}


def token_of(site: Site, person: Person) -> str:
    """What the cookie of the session has."""
    header = "; ".join(f"{name}={value}" for name, value in cookies_of(person).items())
    with site.app.test_request_context(base_url=f"http://{HOST}", headers={"Cookie": header}):
        token = cookies.session_token()
    assert token is not None
    return token


def keep_number(site: Site, username: str, number: str | PhoneNumber) -> None:
    """Gives the account this number without a code, as the operator does."""
    numbers, account = site.services.phone_numbers, site.services.accounts.named(username)
    with site.services.db.write() as tx:
        numbers.keep(tx, account, number if isinstance(number, PhoneNumber) else numbers.parse(number, ""))


def user_of(site: Site, person: Person) -> User:
    """Who is logged in in the browser, as a request finds them."""
    user = site.services.sessions.find(token_of(site, person))
    assert user is not None
    return user


def give(person: Person, **cookies: str) -> None:
    for name, value in cookies.items():
        person.client.set_cookie(name, value, domain=person.host.split(":")[0])


def replace_app(owner: Owner) -> str:
    """Replaces the app up to the new setup key, which is not proved yet."""
    owner.open("/settings/security/two-factor/authentication-app/overview")
    return owner.press("Got it" if owner.layout == IPHONE else "Start").setup_key


def stale(owner: Owner) -> Owner:
    """The same session, no longer fresh: the proof is ten minutes old."""
    owner.site.clock.pass_(601)
    return owner


def thief_of(owner: Owner) -> Owner:
    """Another browser with a copy of the session cookie and nothing else."""
    thief = owner.other_browser(address="198.51.100.66")
    give(thief, session=cookies_of(owner)["session"])
    return thief


def wrong(code: str) -> str:
    """Six digits that are the code of no step near this one."""
    return str((int(code) + 500_000) % 1_000_000).zfill(6)


class OldSigner(TimestampSigner):
    def get_timestamp(self) -> int:
        return int(time.time()) - 2 * 3600


def old_token(site: Site, person: Person) -> str:
    """A token of this browser that was signed two hours ago."""
    person.token()
    with person.client.session_transaction(base_url=f"http://{person.host}") as session:
        raw = session["csrf_token"]
    return _masked(URLSafeTimedSerializer(site.app.secret_key, salt="wtf-csrf-token", signer=OldSigner).dumps(raw))


def forged_token(person: Person) -> str:
    """Well formed and recent, but signed with another key."""
    return _masked(URLSafeTimedSerializer("k" * 64, salt="wtf-csrf-token").dumps("0" * 40))


def _masked(token: str) -> str:
    return masked(token.encode(), b"m" * len(token))
