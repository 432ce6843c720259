"""Discoverability and contacts, in every layout, with and without HTMX."""

from __future__ import annotations

from io import BytesIO

import pytest
from sqlalchemy import select

from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, IPHONE, Owner, Page
from webapp.models.contacts import Contact

CONTACTS = "/settings/privacy/contacts"
ADA, GRACE = "+447400123456", "+447400123457"
CARDS = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Grace Hopper\r\nitem1.TEL;type=CELL:07400\r\n  123457\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=ISO-8859-1:M\u00fcller\r\nTEL;CELL:+49 1511 2345678\r\n"
)


@pytest.fixture(
    params=[(layout, htmx) for layout in (DESKTOP, ANDROID, IPHONE) for htmx in (False, True)],
    ids=lambda param: f"{param[0]}{'-htmx' if param[1] else ''}",
)
def ada(site: Site, request: pytest.FixtureRequest) -> Owner:
    layout, htmx = request.param
    return with_phone(Owner(site, layout=layout, htmx=htmx), ADA)


def with_phone(owner: Owner, number: str) -> Owner:
    """With a confirmed number, discoverable by contacts."""
    owner.sign_up()
    owner.open("/settings/account/phone")
    owner.press("Save", phone=number)
    assert owner.press("Verify", code=owner.site.texted_code(number)).receipts == ["Your phone number is confirmed."]
    return owner


def grace_who_has(site: Site, *numbers: str) -> Owner:
    grace = with_phone(Owner(site, "grace"), GRACE)
    grace.open(CONTACTS)
    grace.press("Upload contacts", numbers="\n".join(numbers))
    return grace


def people(page: Page) -> list[str]:
    return [row.get_text(" ", strip=True) for row in page.soup.select("ul.rows li:has(> strong)")]


def test_privacy_links_to_the_page_and_the_page_links_back(ada: Owner) -> None:
    ada.open("/settings/privacy")
    page = ada.follow("Discoverability and contacts")
    assert (page.path, page.h1) == (CONTACTS, "Discoverability and contacts")
    assert ada.follow("Back to Privacy").path == "/settings/privacy"
    if ada.layout == DESKTOP and not ada.htmx:
        current = ada.open(CONTACTS).soup.find("a", attrs={"aria-current": True}, string="Privacy")
        assert current is not None, "the list beside it says where one is"


def test_two_users_who_upload_each_other_see_each_other(ada: Owner, site: Site) -> None:
    grace = grace_who_has(site, ADA)
    assert people(grace.open(CONTACTS)) == []
    ada.open(CONTACTS)
    page = ada.press("Upload contacts", file=CARDS.encode("latin-1"), numbers="07400 123458; what?")
    assert (page.status, page.path) == (200, CONTACTS)
    assert page.receipts == ["3 new numbers added.", "We couldn't read 1 line."]
    assert [said["class"] for said in page.soup.select("#status p")] == [["receipt"], ["failure"]]
    assert page.says("You've uploaded 3 numbers.")
    assert people(page) == ["Ada Lovelace @grace"]
    assert people(grace.open(CONTACTS)) == ["Ada Lovelace @ada"]
    page = ada.press("Upload contacts", numbers=GRACE)
    assert page.receipts == ["No new numbers were added."]


def test_turning_discoverability_off_hides_at_once(ada: Owner, site: Site) -> None:
    grace = grace_who_has(site, ADA)
    ada.open(CONTACTS)
    page = ada.press("Upload contacts", numbers=GRACE)
    assert page.field("Let existing contacts find me").has_attr("checked")
    data = {"csrf_token": ada.token(), "save": "1"}
    page = ada.send("POST", CONTACTS, data=data)
    assert page.receipts == ["Saved. No one can find you by phone number."]
    assert not page.field("Let existing contacts find me").has_attr("checked")
    assert (people(page), people(grace.open(CONTACTS))) == ([], [])
    page = ada.press("Save", discoverable="y")
    assert page.receipts == ["Saved. People who have your number, and whose number you have, can now find you."]
    assert people(page) == ["Ada Lovelace @grace"]


def test_removing_all_contacts_deletes_every_hash(ada: Owner, site: Site) -> None:
    assert "Remove all contacts" not in ada.open(CONTACTS).buttons
    ada.press("Upload contacts", file=CARDS.encode())
    page = ada.press("Remove all contacts")
    assert page.receipts == ["All contacts removed."]
    assert page.says("You haven't uploaded any numbers.")
    assert "Remove all contacts" not in page.buttons
    with site.services.db.read() as tx:
        assert tx.objects.scalars(select(Contact)).all() == []


def test_an_empty_upload_is_reported_beside_the_field(ada: Owner) -> None:
    ada.open(CONTACTS)
    page = ada.press("Upload contacts")
    sentence = "Choose a contacts file or enter phone numbers."
    assert (page.status, page.problems) == (422, [sentence])
    field = page.field("Phone numbers")
    assert field["aria-invalid"] == "true"
    said = page.soup.find(id=str(field["aria-describedby"]).split()[-1])
    assert said is not None
    assert sentence in said.get_text()


def test_too_many_contacts_are_refused_and_the_typed_text_is_kept(ada: Owner) -> None:
    ada.open(CONTACTS)
    typed = "\n".join(f"+4474{number:08d}" for number in range(1001))
    page = ada.press("Upload contacts", numbers=typed)
    assert (page.status, page.problems) == (
        422,
        ["That's more than 1000 contacts, so none were added. Upload fewer."],
    )
    assert page.field("Phone numbers").get_text().split() == typed.split()
    assert page.says("You haven't uploaded any numbers.")


def test_a_thousand_cards_of_a_phone_are_read(ada: Owner) -> None:
    ada.open(CONTACTS)
    card = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Hopper;Grace;;;\r\nFN:Grace Hopper\r\nORG:{0}\r\nEMAIL:g@example.org\r\n"
        "TEL;TYPE=CELL:+44740{1:07d}\r\nADR;TYPE=HOME:;;1 Long Street;Arlington;VA;22201;US\r\nEND:VCARD\r\n"
    )
    file = "".join(card.format("x" * 200, number) for number in range(1000)).encode()
    assert len(file) > 377_000
    # as bytes, because the test client leaves a large file open
    parts = (("csrf_token", ada.token().encode()), ("upload", b"1"), ('file"; filename="c.vcf', file))
    head = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
    body = b"".join(head % name.encode() + value + b"\r\n" for name, value in parts) + b"--b--\r\n"
    page = ada.send("POST", CONTACTS, data=body, content_type="multipart/form-data; boundary=b")
    assert (page.status, page.receipts) == (200, ["1000 new numbers added."])


def test_a_file_over_the_limit_comes_back_to_the_page_with_its_error(ada: Owner) -> None:
    ada.open(CONTACTS)
    assert "1 MB" in ada.page.text
    # as bytes, because the test client leaves a large file open
    head = 'Content-Disposition: form-data; name="file"; filename="c.vcf"'
    body = f"--b\r\n{head}\r\n\r\n".encode() + b"TEL:1\n" * 180_000 + b"\r\n--b--\r\n"
    page = ada.send("POST", CONTACTS, data=body, content_type="multipart/form-data; boundary=b")
    sentence = "This file is too large. Choose one of at most 1 MB, without photos."
    assert (page.status, page.h1, page.problems) == (413, "Discoverability and contacts", [sentence])
    assert page.field("Contacts file (.vcf)")["aria-invalid"] == "true"
    assert page.link("Back to Privacy")
    assert ada.press("Upload contacts", file=f"TEL:{GRACE}".encode()).receipts == ["1 new number added."]


def test_a_file_that_is_no_contact_list_or_has_no_number_is_an_error_beside_the_field(ada: Owner) -> None:
    for file, sentence in (
        (b"\x89PNG\r\n\x1a\n", "This file isn't a contact list. Choose a file that ends in .vcf."),
        (b"BEGIN:VCARD\nFN:Grace\nEND:VCARD", "There's no phone number in this file. Choose another file."),
    ):
        ada.open(CONTACTS)
        page = ada.press("Upload contacts", file=file)
        assert (page.status, page.problems) == (422, [sentence])
        assert page.field("Contacts file (.vcf)")["aria-invalid"] == "true"


def test_an_expired_page_changes_nothing(ada: Owner, site: Site) -> None:
    for button in ("save", "upload", "remove"):
        data = {"csrf_token": "old", button: "1", "numbers": GRACE, "file": (BytesIO(b""), "")}
        page = ada.send("POST", CONTACTS, data=data)
        assert page.problems == ["This page was out of date. Nothing was changed. Try again."]
    assert page.status == 422
    assert site.services.accounts.named("ada").discoverable
    assert page.says("You haven't uploaded any numbers.")


def test_without_a_number_of_their_own_users_are_told_to_add_one(site: Site) -> None:
    linus = Owner.signed_up(site, "linus")
    page = linus.open(CONTACTS)
    assert page.says("People can only find you by phone number, and you haven't added one.")
    assert linus.follow("Add your phone number").path == "/settings/account/phone"
    linus.open(CONTACTS, headers={"Accept-Language": "de-DE"})
    page = linus.press("Upload contacts", numbers="015112345678")
    assert page.receipts == ["No new numbers were added.", "We couldn't read 1 line."], (
        "an American would not dial that"
    )
    data = {"csrf_token": linus.token(), "upload": "1", "numbers": "015112345678"}
    page = linus.send("POST", CONTACTS, data=data, headers={"Accept-Language": "de-DE"})
    assert page.receipts == ["1 new number added."]


def test_a_name_cannot_add_markup_to_the_list(site: Site) -> None:
    ada = with_phone(Owner(site), ADA)
    grace_who_has(site, ADA)
    with site.services.db.write() as tx:
        account = site.services.accounts.named("grace")
        account.name = "<b>Grace</b>"
        tx.objects.merge(account)
    ada.open(CONTACTS)
    assert people(ada.press("Upload contacts", numbers=GRACE)) == ["<b>Grace</b> @grace"]


def test_the_page_costs_two_statements_beside_reading_the_user(site: Site) -> None:
    ada = with_phone(Owner(site), ADA)
    grace_who_has(site, ADA)
    ada.open(CONTACTS)
    ada.press("Upload contacts", numbers=GRACE)
    site.statements.clear()
    ada.open("/settings/privacy")
    bare = len(site.statements)
    site.statements.clear()
    assert people(ada.open(CONTACTS)) == ["Ada Lovelace @grace"]
    assert len(site.statements) <= bare + 2, "\n\n".join(site.statements)
    assert len(site.statements) <= 5
