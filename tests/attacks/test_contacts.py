"""Attackers who want to learn from contacts which numbers have an account; and malformed files."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from sqlalchemy import update

from tests.attacks.tools import account_id, count, everything, is_in, routes, stored
from tests.conftest import POSTGRES, Site, one_database
from tests.people import Owner, Page, Person
from webapp.adapters.keyring import AesGcmKeyring
from webapp.models.accounts import Account
from webapp.services.sealed_numbers import phone_bound

CONTACTS = "/settings/privacy/contacts"
ADA, EVE = "+447400123456", "+447400666666"
WITHOUT_ACCOUNT = "+447400999999"
UNREADABLE = "+447400888888"
FORM = "application/x-www-form-urlencoded"


def give_number(site: Site, username: str, number: str) -> None:
    """Confirmed, and discoverable by contacts."""
    keyring = AesGcmKeyring(site.services.settings.encryption_keys, site.services.entropy)
    owner = account_id(site, username)
    sealed = keyring.seal(number, phone_bound(owner))
    with site.services.db.write() as tx:
        tx.execute(update(Account).where(Account.id == owner).values(phone_number=sealed, discoverable=True))


@pytest.fixture
def eve(site: Site, ada: Owner) -> Owner:
    """Has an account and a number of her own, and wants to learn about Ada's number, which has an account too."""
    eve = Owner.signed_up(site, "eve")
    give_number(site, "eve", EVE)
    give_number(site, "ada", ADA)
    return eve


def upload(person: Person, *numbers: str) -> Page:
    person.open(CONTACTS)
    return person.press("Upload contacts", numbers="\n".join(numbers))


def seen(page: Page) -> tuple[Any, ...]:
    """The page without the CSRF tokens of its forms."""
    for field in page.soup.find_all("input", attrs={"name": "csrf_token"}):
        field.decompose()
    return page.status, str(page.soup), page.response.headers.get("Retry-After")


def test_a_number_with_an_account_and_one_without_get_the_same_page_and_cost_the_same(site: Site, eve: Owner) -> None:
    pages, work = set(), []
    for number in (ADA, WITHOUT_ACCOUNT):
        eve.post(CONTACTS, remove="1")
        eve.open(CONTACTS)
        site.statements.clear()
        pages.add(seen(eve.press("Upload contacts", numbers=number)))
        work.append(list(site.statements))
    assert len(pages) == 1
    assert work[0] == work[1]


def test_uploading_a_number_shows_only_users_who_have_ones_own_number(site: Site, eve: Owner, ada: Owner) -> None:
    assert "@ada" not in upload(eve, ADA).text
    upload(ada, WITHOUT_ACCOUNT)
    assert "@ada" not in eve.open(CONTACTS).text
    assert "@eve" not in ada.open(CONTACTS).text


def test_turning_discoverability_off_hides_a_user_from_mutual_contacts_at_the_same_cost(
    site: Site, eve: Owner, ada: Owner
) -> None:
    upload(eve, ADA)
    upload(ada, EVE)
    assert "@ada" in eve.open(CONTACTS).text
    ada.post(CONTACTS, save="1")
    hidden = eve.open(CONTACTS)
    assert "@ada" not in hidden.text
    ada.post(CONTACTS, remove="1")
    assert seen(hidden) == seen(eve.open(CONTACTS)), "hidden and not there are the same"


def test_a_number_that_was_removed_from_the_account_finds_no_user(site: Site, eve: Owner, ada: Owner) -> None:
    upload(eve, ADA)
    upload(ada, EVE)
    assert "@ada" in eve.open(CONTACTS).text
    give_number(site, "eve", WITHOUT_ACCOUNT)
    assert "@ada" not in eve.open(CONTACTS).text


def test_an_unconfirmed_number_is_not_compared(site: Site, ada: Owner) -> None:
    """Otherwise a user who types another person's number would see that person's contacts."""
    give_number(site, "ada", ADA)
    mallory = Owner.signed_up(site, "mallory")
    mallory.open("/settings/account/phone")
    mallory.press("Save", phone=EVE)
    upload(mallory, ADA)
    upload(ada, EVE)
    assert "@ada" not in mallory.open(CONTACTS).text
    assert "@mallory" not in ada.open(CONTACTS).text


def test_one_account_looks_up_at_most_two_thousand_numbers_a_day(site: Site, eve: Owner) -> None:
    tried, page = 0, None
    for start in range(0, 4000, 500):
        page = upload(eve, *(f"+4474{number:08d}" for number in range(start, start + 500)))
        if page.status == 429:
            break
        tried += 500
        eve.post(CONTACTS, remove="1")
    assert (tried, page.status, page.response.headers["Retry-After"]) == (2000, 429, "86400")
    assert page.problems == [
        "That's more new numbers than we allow in a day, so none were added. Try again in 24 hours."
    ]
    assert count(site, "SELECT count(*) FROM contacts") == 0
    assert count(site, "SELECT count(*) FROM contact_lookups") == 5, "a row an upload, a refused one too"
    assert eve.other_browser(address="203.0.113.9").log_in().h1 == "Welcome, Ada Lovelace"
    site.clock.pass_(86400)
    assert eve.log_in().path == "/"
    assert upload(eve, ADA).receipts == ["1 new number added."]


@one_database
def test_an_upload_of_unfit_numbers_writes_one_row_and_no_counts_of_texts(site: Site, eve: Owner) -> None:
    """Two thousand fixed-line numbers were two thousand transactions, which kept every other writer waiting."""
    eve.open(CONTACTS)
    site.statements.clear()
    page = eve.press("Upload contacts", numbers="\n".join(f"+44207946{number:04d}" for number in range(2000)))
    assert page.receipts == ["No new numbers were added."]
    written = [statement for statement in site.statements if statement.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert [statement.split()[2] for statement in written] == ["contact_lookups"]
    assert site.services.text_caps.report(1) == [], "a number in an upload is no text"


def test_one_account_uploads_at_most_ten_thousand_entries_a_day_fit_or_not(site: Site, eve: Owner) -> None:
    """Refused uploads count too, else their work would be free."""
    nonsense = [str(number) for number in range(2000)]
    fit = [f"+4474{number:08d}" for number in range(2000)]
    pages = [upload(eve, *numbers) for numbers in (nonsense, fit, nonsense, fit, nonsense)]
    assert [page.status for page in pages] == [200, 422, 200, 422, 200], "more fit numbers than an account can have"
    before, writes = everything(site), site.writes
    page = upload(eve, ADA)
    assert (page.status, page.response.headers["Retry-After"]) == (429, "86400")
    assert everything(site) == before
    assert site.writes == writes
    site.clock.pass_(86400)
    eve.log_in()
    assert upload(eve, ADA).receipts == ["1 new number added."]


def test_a_user_cannot_upload_or_remove_contacts_of_another_account(site: Site, eve: Owner, ada: Owner) -> None:
    upload(ada, EVE)
    before = everything(site)["contacts"]
    for field in ("account_id", "account", "id"):
        eve.post(CONTACTS, remove="1", **{field: str(account_id(site, "ada"))})
    stranger = Person(site.app)
    for button in ("save", "upload", "remove"):
        target = urlsplit(stranger.post(CONTACTS, follow=False, **{button: "1"}, numbers=ADA).response.location)
        assert (target.path, unquote(target.query)) == ("/log-in", f"next={CONTACTS}"), "and nothing of the form"
        assert ada.send("POST", CONTACTS, follow=False, data={button: "1"}).status == 400
        headers = {"Sec-Fetch-Site": "cross-site"}
        data = {"csrf_token": ada.token(), button: "1"}
        assert ada.send("POST", CONTACTS, follow=False, data=data, headers=headers).status == 403
        ada.open(f"{CONTACTS}?{button}=1&numbers={ADA}")
    assert everything(site)["contacts"] == before


def test_no_number_is_in_a_dump_of_the_database_or_the_log(
    site: Site, eve: Owner, capsys: pytest.CaptureFixture[str]
) -> None:
    eve.open(CONTACTS)
    card = f"BEGIN:VCARD\nFN:Zuse\nTEL:{WITHOUT_ACCOUNT}\nTEL;=:{EVE}\nTEL:{UNREADABLE}\0\nTEL:{UNREADABLE}000000000"
    assert eve.press("Upload contacts", numbers=ADA, file=card.encode()).says("We couldn't read 2 lines")
    assert count(site, "SELECT count(*) FROM contacts") == 3
    places = {"log": capsys.readouterr().err.encode(), **stored(site)}
    assert len(places) > 12 or POSTGRES
    for place, content in places.items():
        for secret in (ADA, WITHOUT_ACCOUNT, EVE, UNREADABLE):
            for written in (secret, secret[1:], secret.removeprefix("+44")):
                assert written.encode() not in content, place
        assert b"Zuse" not in content, place


def test_hashes_are_keyed_and_bound_to_their_purpose(site: Site, eve: Owner) -> None:
    upload(eve, ADA)
    kept = everything(site)["contacts"][0][2]
    keyring = AesGcmKeyring(site.services.settings.encryption_keys, site.services.entropy)
    assert kept == keyring.mac(ADA, "contact")
    assert kept != keyring.mac(ADA, "phone")
    assert kept.rpartition(".")[2] != AesGcmKeyring([("k1", bytes(32))], site.services.entropy).mac(ADA, "contact")


# -- Files ---------------------------------------------------------------------------------------------


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    quoted = f'; filename="{filename}"' if filename is not None else ""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{quoted}\r\n\r\n'
    return head.encode("utf-8", "surrogateescape") + value + b"\r\n"


def post(person: Person, path: str, *parts: bytes) -> Page:
    body = b"".join([part("csrf_token", person.token().encode()), *parts, b"--b--\r\n"])
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    return person.send("POST", path, follow=False, data=body, headers=headers)


def test_a_null_byte_is_allowed_in_the_file_and_in_no_other_field(site: Site, eve: Owner) -> None:
    file = b"N:M\xfcller\nTEL:" + ADA.encode() + b"\nTEL:+44\x007400999999\n\xff\xfe\x00\n"
    assert post(eve, CONTACTS, part("upload", b"1"), part("file", file, "c.vcf")).status == 303
    assert eve.open(CONTACTS).receipts == ["1 new number added.", "We couldn't read 1 line."]
    assert post(eve, CONTACTS, part("upload", b"1"), part("numbers", b"+44\x007400999999")).status == 400
    assert post(eve, CONTACTS, part("upload", b"1\x00"), part("file", b"", "c.vcf")).status == 400
    for odd in (b"\xff\xfe", b"\xed\xa0\x80"):
        assert post(eve, CONTACTS, part("upload", b"1"), part("numbers", odd)).status == 303, "a number to nobody"
    assert count(site, "SELECT count(*) FROM contacts") == 1


@pytest.mark.parametrize(
    "parts",
    [
        (part("file", b"TEL:1", "a.vcf"), part("file", b"TEL:2", "b.vcf")),
        (part("file", b"TEL:1", "a.vcf"), part("file", b"text")),
        (part("file[]", b"TEL:1", "a.vcf"),),
        (part("numbers", b"1", "a.vcf"),),
        (part("upload", b"1", "a.vcf"),),
        (part("file", b"TEL:1", "a\0.vcf"),),
        (part("fi\0le", b"TEL:1", "a.vcf"),),
    ],
    ids=["two", "beside text", "list", "another field", "button", "name with NUL", "field with NUL"],
)
def test_a_file_in_another_field_is_refused(site: Site, eve: Owner, parts: tuple[bytes, ...]) -> None:
    assert post(eve, CONTACTS, part("upload", b"1"), *parts).status == 400
    assert count(site, "SELECT count(*) FROM contacts") == 0


@one_database
def test_no_other_page_accepts_a_file(site: Site, ada: Owner) -> None:
    before = everything(site)
    for route in routes(site):
        if route.layout == "desktop" and "POST" in route.methods:
            for field in ("file", "username", "password", "code", "phone", "email", "next"):
                if (field, route.path) == ("file", CONTACTS):
                    continue
                page = post(ada, route.path, part(field, b"x", "x.txt"))
                assert page.status == 400, (route.path, field, page.status)
    assert everything(site) == before
    assert is_in(ada)


def test_a_file_sent_as_text_is_ignored(site: Site, eve: Owner) -> None:
    assert eve.post(CONTACTS, upload="1", file=f"TEL:{ADA}").status == 422
    assert count(site, "SELECT count(*) FROM contacts") == 0


def test_only_the_file_may_be_larger_than_another_form(site: Site, eve: Owner) -> None:
    stranger, text = Person(site.app), b"1," * 40_000
    eve.open(CONTACTS)
    for person in (stranger, eve):
        form = b"csrf_token=" + person.token().encode() + b"&upload=1&numbers=" + text
        page = person.send("POST", CONTACTS, data=form, content_type=FORM, follow=False)
        assert page.status == 413
        page = post(person, CONTACTS, part("upload", b"1"), part("numbers", text))
        assert (page.status, page.h1) == (413, "Too large")
        assert page.says("What you sent is too large. Shorten it and try again.")
    assert post(eve, CONTACTS, part("upload", b"1"), part("file", text, "c.vcf")).status == 422
    assert count(site, "SELECT count(*) FROM contacts") == 0


def test_many_short_entries_are_read_quickly(site: Site, eve: Owner) -> None:
    for text in (",".join(str(n) for n in range(10_000)), "1;" * 30_000, "+" * 60_000):
        eve.open(CONTACTS)
        assert eve.press("Upload contacts", numbers=text).status in (200, 422)
    eve.open(CONTACTS)
    assert eve.press("Upload contacts", file=b"TEL;X=" + b"1," * 30_000 + b":1").status == 200
    assert post(eve, CONTACTS, part("upload", b"1"), part("file", b"x" * 1_048_600, "c.vcf")).status == 413
