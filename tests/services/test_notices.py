"""Every recorded event has a sentence, and its facts are in the reader's language."""

from __future__ import annotations

import ast
import json
import re
from gettext import NullTranslations
from pathlib import Path

from sqlalchemy import select

from tests.conftest import Site
from tests.people import Owner
from webapp.domain.language import Language, speaking
from webapp.domain.origin import Origin
from webapp.models.sessions import Activity
from webapp.services.notices import LISTED, SUBJECTS, TOLD, sentence_for, subject_for

WEBAPP = Path(__file__).resolve().parents[2] / "webapp"

HERE = Origin("192.0.2.1", "Firefox")


def test_every_event_of_an_account_has_a_sentence(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.log_out()
    ada.log_in_whole()
    with site.services.db.read() as tx:
        rows = tx.objects.scalars(select(Activity).order_by(Activity.id)).all()
    said = [sentence_for(row.kind, json.loads(row.details)) for row in rows]
    assert said == [
        "You created your account.",
        "You confirmed your email address: ada@example.org.",
        "Authentication app was turned on.",
        "You logged out.",
        "You logged in.",
    ]


def test_an_address_that_an_account_does_not_have_gets_no_mail(site: Site) -> None:
    Owner.signed_up(site, "bob", confirm_email=False)
    account = site.services.accounts.named("bob")
    with site.services.db.write() as tx:
        site.services.notices.tell_address(tx, account, account.email, "email-restored", HERE, email="b...@example.org")
    assert site.services.delivery.kept(10) == []


def test_every_kind_of_event_in_the_services_has_a_sentence() -> None:
    named = set()
    for path in WEBAPP.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("tell", "record"):
                named |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    assert named
    assert named <= set(TOLD) | set(LISTED)
    assert not set(TOLD) & set(LISTED)


def test_the_subject_of_each_notice_is_one_short_sentence() -> None:
    assert set(SUBJECTS) <= set(TOLD)
    for kind, sentence in TOLD.items():
        subject = SUBJECTS.get(kind, sentence).msgid.removesuffix(".")
        assert not re.search(r"[.!?;]( |$)", subject), subject
        assert len(subject) <= 80, subject
        assert set(re.findall(r"%\((\w+)\)", subject)) <= set(re.findall(r"%\((\w+)\)", sentence.msgid)), kind
    for kind, subject in SUBJECTS.items():
        assert not subject.msgid.endswith("."), kind
        assert len(subject.msgid) < len(TOLD[kind].msgid), kind


def test_a_subject_has_the_facts_of_its_notice() -> None:
    facts = {"method": "Authentication app"}
    assert (
        subject_for("last-factor-off", facts)
        == "Two-factor authentication is now off: Authentication app was turned off"
    )
    assert subject_for("factor-off", facts) == "Authentication app was turned off."


def test_a_method_is_named_in_the_readers_language() -> None:
    class Latin(NullTranslations):
        def gettext(self, message: str) -> str:
            return {"Authentication app": "Machina", "%(method)s was turned off.": "%(method)s quiescit."}[message]

    with speaking(Language("la", "Latina", translations=Latin())):
        assert sentence_for("factor-off", {"method": "Authentication app"}) == "Machina quiescit."


def test_the_end_of_a_number_is_not_turned_round_from_right_to_left() -> None:
    with speaking(Language("ar", "العربية", "rtl")):
        assert "\u2066...56\u2069" in sentence_for("phone-added", {"hint": "...56"})
    assert "ending in ...56 was" in sentence_for("phone-added", {"hint": "...56"})


def test_a_fact_that_is_not_text_or_is_empty_is_used_unchanged() -> None:
    assert sentence_for("factor-off", {"method": ""}) == " was turned off."
    assert sentence_for("factor-off", {"method": 3}) == "3 was turned off."
