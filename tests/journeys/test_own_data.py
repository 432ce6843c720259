"""Downloading a copy of one's data: everything that names the account, and no secret."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from tests.attacks.tools import is_in, stale, thief_of
from tests.conftest import Site
from tests.people import PASSWORD, PHONE, TWO_FACTOR, Owner, Page
from webapp.models.accounts import Account
from webapp.models.base import rows_of
from webapp.models.migrate import METADATA
from webapp.services.own_account.exports import COPIED, OF_ACCOUNT

DATA = "/settings/account/data"
FILE = f"{DATA}/file"
DAY = 86400
WITHHELD = {
    "accounts": {
        *("id", "password_hash", "username_key", "new_username_key", "email_key", "recovery_by"),
        *("phone_number", "phone_number_mac", "backup_code_hash"),  # the number is copied as it was entered
    },
    "former_usernames": {"username_key"},
    "factors": {"external_id", "sealed", "counter"},
    "sessions": {"token_hash", "sealed_backup_code"},
    "pending_logins": {"token_hash"},
    "remembered_browsers": {"token_hash"},
    "login_requests": {"challenge", "nonce", "factor_id"},
    "temporary_passwords": {"secret_hash"},
    "app_sessions": {"token_hash"},
    "app_authorizations": {"uid", "app_id", "session_id", "code_hash", "code_challenge", "dpop_jkt", "nonce", "sid"},
    "app_connections": {"app_id"},
    "guarded_logins": {"handle_hash", "app_id", "nonce_hash", "asks", "agreed_hash", "session_id", "code_hash"},
    "guarded_sessions": {"token_hash", "app_id", "session_id"},
    "session_apps": {"session_id", "app_id", "sid"},
    "known_networks": set[str](),
    "memberships": set[str](),
    "refused_accesses": set[str](),
    "codes": {"target", "adopted_by", "sealed_target", "mac", "message_id"},
    "links": {"token_hash"},
    "drafts": {"session_id", "sealed"},
    "contacts": {"number_mac"},
    "contact_lookups": set[str](),
    "attempts": set[str](),
    "messages": {"uid", "sealed", "attempts", "due_at", "claimed_until", "app_name", "complaint"},
    "activity": set[str](),
}
"""What is not copied: secrets, hashes, and numbers of rows."""


def download(owner: Owner) -> Page:
    owner.open(DATA)
    return owner.press("Download")


def copy_of(owner: Owner) -> dict[str, Any]:
    return dict(json.loads(download(owner).text))


def test_every_column_of_every_table_with_the_accounts_id_is_copied_or_withheld_on_purpose() -> None:
    copied = {rows_of(table).name: set(names) for table, names in COPIED.items()} | {"accounts": set(OF_ACCOUNT)}
    named = {table.name for table in METADATA.sorted_tables if "account_id" in table.c} | {"accounts"}
    assert set(copied) == named == set(WITHHELD)
    for table, names in copied.items():
        every = set(METADATA.tables[table].c.keys()) - {"id", "account_id"}
        assert names | (WITHHELD[table] - {"id"}) == every, table
        assert not names & WITHHELD[table], table


def test_the_copy_is_a_file_that_no_cache_keeps_and_the_owner_is_told(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open("/settings/account")
    assert ada.follow("Download my data").h1 == "Download my data"
    ada.htmx = False  # the form is a plain one: a script must not show the file as a page
    page = ada.press("Download")
    headers = page.response.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Disposition"] == 'attachment; filename="ada-data.json"'
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    copied = json.loads(page.text)
    assert copied["account"]["username"] == "ada"
    assert copied["account"]["email"] == ada.email
    assert copied["account"]["created_at"] == "2027-01-15T08:00:00Z"
    assert copied["activity"][-1]["sentence"] == "A copy of your account's data was downloaded."
    assert site.emails(ada.email)[0].subject == "A copy of your account's data was downloaded (Nightlatch)"


def test_the_copy_says_what_was_counted_and_not_by_whose_address(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.other_browser(address="198.51.100.7").log_in("a wrong password")
    counted = copy_of(ada)["attempts"]
    assert {attempt["bucket"] for attempt in counted} >= {"password", "password-total"}
    assert "198.51.100" not in json.dumps(counted)


def test_the_copy_has_what_the_account_has_and_no_secret_of_it(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.turn_on_texts()
    ada.turn_on_key()
    ada.open(f"{TWO_FACTOR}/temporary-password")
    temporary = str(ada.press("Generate temporary password").soup.find(attrs={"data-copy": True})["data-copy"])
    ada.open("/settings/privacy/contacts")
    ada.press("Upload contacts", numbers="+447400123457")
    text = download(ada).text
    copied = json.loads(text)
    assert copied["account"]["phone_number"] == PHONE
    assert {factor["method"] for factor in copied["factors"]} >= {"authentication-app", "text-message"}
    assert not any("browser" in factor["attributes"] for factor in copied["factors"]), "by which its owner is known"
    assert "1970" not in text, "what has never happened has no time"
    assert len(copied["temporary_passwords"]) == len(copied["contacts"]) == 1
    for secret in (ada.secret, ada.kept_code, PASSWORD, temporary, ada.cookie("session") or ""):
        assert secret not in text
    withheld = [rows_of(Account).c[name] for name in sorted(WITHHELD["accounts"] - {"id", "username_key", "email_key"})]
    with site.services.db.read() as tx:
        row = tx.execute(select(*withheld)).one()
        hashes = [
            value
            for table, names in WITHHELD.items()
            for name in names
            if name.endswith(("hash", "mac", "sealed", "nonce")) and table != "accounts"
            for value in tx.scalars(select(METADATA.tables[table].c[name]))
        ]
    for secret in (*row, *hashes):
        assert secret is None or secret not in text


def test_nothing_of_another_account_is_in_the_copy(site: Site) -> None:
    ada, grace = Owner(site), Owner(site, "grace", address="198.51.100.9")
    ada.sign_up()
    grace.sign_up()
    grace.other_browser(address=grace.address).log_in("a wrong password")
    text = download(ada).text
    assert "grace" not in text
    assert "198.51.100" not in text


def test_a_copy_needs_step_up_and_comes_from_its_page_then(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open(DATA)
    stale(ada)
    page = ada.press("Download")
    assert page.h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert (page.path, page.h1) == (DATA, "Download my data")
    assert "copied_at" in ada.press("Download").text
    thief = thief_of(ada)
    stale(ada)
    assert thief.post(FILE).h1 == "Enter your password"


def test_three_copies_a_day_are_made(site: Site) -> None:
    ada = Owner.signed_up(site)
    for _ in range(3):
        assert "copied_at" in download(ada).text
    page = download(ada)
    assert (page.status, page.problems) == (
        429,
        ["You've downloaded your data too often today. Try again in 24 hours."],
    )
    assert page.response.headers["Retry-After"] == str(DAY)
    site.clock.pass_(DAY)
    ada.log_in()
    assert "copied_at" in download(ada).text


def test_a_copy_is_only_made_for_a_form_of_this_site(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.open(DATA)
    assert ada.send("POST", FILE, data={"csrf_token": "old"}).status == 422
    assert ada.send("POST", FILE, data={}).status == 400
    assert ada.send("GET", FILE).status == 405
    assert is_in(ada)
