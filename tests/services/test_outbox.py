"""The outbox: messages are committed with their change, sealed, and in the reader's language."""

from __future__ import annotations

import json
from gettext import NullTranslations
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.doubles import START, PlainRenderer, ScriptedEntropy, core
from tests.pace import least_cost
from webapp.adapters.keyring import AesGcmKeyring
from webapp.adapters.template_renderer import TemplateRenderer
from webapp.domain.language import ENGLISH, Language, gettext, speaking, spoken
from webapp.domain.origin import Origin
from webapp.domain.ports import Email, RenderedEmail
from webapp.models.accounts import Account
from webapp.models.base import Table
from webapp.models.database import Database
from webapp.models.messages import OWED, Message
from webapp.services.outbox import Outbox, message_bound

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
GERMAN = Language("de", "Deutsch", translations=NullTranslations())
LANGUAGES = {"en": ENGLISH, "de": GERMAN}


class LanguageRenderer:
    """Renders the name of the language it was asked for."""

    def render_email(self, template: str, /, **facts: object) -> RenderedEmail:
        return RenderedEmail(spoken().code, "", "")


@pytest.fixture
def db(tmp_path: Path) -> Database:
    db = Database(f"sqlite:///{tmp_path}/nightlatch.sqlite")
    Table.metadata.create_all(db.engine)
    return db


@pytest.fixture
def keyring() -> AesGcmKeyring:
    return AesGcmKeyring([("k1", bytes(range(32)))], ScriptedEntropy())


@pytest.fixture
def outbox(keyring: AesGcmKeyring) -> Outbox:
    return Outbox(core(keyring=keyring), PlainRenderer(), LANGUAGES)


def person(language: str = "en") -> Account:
    return Account(
        created_at=START, name="Anna", username="anna", username_key="anna", password_hash="", language=language
    )


def stored(db: Database, message_id: int) -> Message:
    with db.read() as tx:
        return tx.objects.get_one(Message, message_id)


def test_a_posted_message_can_be_read(db: Database, outbox: Outbox) -> None:
    with db.write() as tx:
        posted = outbox.post_email(tx, to="anna@example.net", template="code", account=None, code="123456", name="Anna")
    message = stored(db, posted)
    assert outbox.read(message) == Email(
        message_id=message.uid,
        to="anna@example.net",
        subject="code",
        text="code=123456, name=Anna\n",
        html="<p>code=123456, name=Anna</p>\n",
    )
    assert (message.state, message.channel, message.template, message.attempts) == (OWED, "email", "code", 0)
    assert (message.made_at, message.due_at, message.claimed_until) == (START, START, None)


def test_no_message_is_owed_when_its_transaction_fails(db: Database, outbox: Outbox) -> None:
    def change() -> None:
        with db.write() as tx:
            outbox.post_email(tx, to="anna@example.net", template="code", account=None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    with db.read() as tx:
        assert tx.scalar(select(func.count(Message.id))) == 0


def test_neither_address_nor_code_is_in_the_database_in_plain_text(
    db: Database, outbox: Outbox, tmp_path: Path
) -> None:
    with db.write() as tx:
        outbox.post_email(tx, to="anna@example.net", template="code", account=None, code="123456")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"anna" not in kept
    assert b"123456" not in kept


def test_a_message_moved_to_another_row_does_not_open(db: Database, outbox: Outbox) -> None:
    with db.write() as tx:
        posted = outbox.post_email(tx, to="anna@example.net", template="code", account=None)
        other = outbox.post_email(tx, to="eve@example.com", template="code", account=None)
    first, second = stored(db, posted), stored(db, other)
    assert first.uid != second.uid
    second.sealed = first.sealed
    with pytest.raises(ValueError, match="altered or moved"):
        outbox.read(second)


def test_reading_purged_content_is_an_error(db: Database, outbox: Outbox) -> None:
    with db.write() as tx:
        posted = outbox.post_email(tx, to="anna@example.net", template="code", account=None)
    message = stored(db, posted)
    message.sealed = None
    with pytest.raises(ValueError, match="no longer kept"):
        outbox.read(message)


def test_a_message_can_belong_to_an_account_of_the_same_transaction(db: Database, outbox: Outbox) -> None:
    with db.write() as tx:
        anna = person()
        tx.objects.add(anna)
        posted = outbox.post_email(tx, to="anna@example.net", template="code", account=anna)
    assert stored(db, posted).account_id == anna.id
    assert anna.id is not None


@pytest.mark.parametrize(
    ("account", "told_in"), [(person("de"), "de"), (person("en"), "en"), (person("tlh"), "en"), (None, "he")]
)
def test_an_email_is_in_the_language_of_its_account(
    db: Database, keyring: AesGcmKeyring, account: Account | None, told_in: str
) -> None:
    hebrew = Language("he", "עברית", "rtl")
    outbox = Outbox(core(keyring=keyring), LanguageRenderer(), {**LANGUAGES, "he": hebrew})
    with speaking(hebrew), db.write() as tx:
        posted = outbox.post_email(tx, to="anna@example.net", template="code", account=account)
        assert spoken().code == "he"
    assert outbox.read(stored(db, posted)).subject == told_in


def test_an_email_says_where_its_request_came_from(db: Database, outbox: Outbox) -> None:
    origin = Origin("198.51.100.7", "Firefox", host="login.example.org", browser="b", external_ids=frozenset("x"))
    with db.write() as tx:
        posted = outbox.post_email(tx, to="anna@example.net", template="notice", account=None, origin=origin)
    email = outbox.read(stored(db, posted))
    assert isinstance(email, Email)
    assert email.text == "origin={'address': '198.51.100.7', 'user_agent': 'Firefox'}\n"


def test_an_email_cannot_have_what_json_cannot(db: Database, outbox: Outbox) -> None:
    with db.write() as tx, pytest.raises(TypeError, match="a message cannot have a set"):
        outbox.post_email(tx, to="anna@example.net", template="code", account=None, code={"123456"})


def test_an_email_that_an_earlier_version_rendered_is_sent_as_it_is(
    db: Database, outbox: Outbox, keyring: AesGcmKeyring
) -> None:
    with db.write() as tx:
        posted = outbox.post_email(tx, to="anna@example.net", template="code", account=None)
    message = stored(db, posted)
    content = json.dumps({"to": "anna@example.net", "subject": "Code", "text": "123456", "html": "<p>123456</p>"})
    message.sealed = keyring.seal(content, bound_to=message_bound(message.uid))
    assert outbox.read(message) == Email(message.uid, "anna@example.net", "Code", "123456", "<p>123456</p>")


def test_a_sentence_for_an_email_can_be_said_in_its_language(outbox: Outbox) -> None:
    class German(NullTranslations):
        def gettext(self, message: str) -> str:
            return "Hallo"

    with outbox.speaking_to(person("de")):
        assert spoken() is GERMAN
    with speaking(Language("de", "Deutsch", translations=German())), outbox.speaking_to(None):
        assert gettext("Hello") == "Hallo"


@pytest.mark.no_cover
def test_posting_costs_less_than_a_millisecond_and_a_half(db: Database, keyring: AesGcmKeyring) -> None:
    renderer = TemplateRenderer(TEMPLATES, "Nightlatch", "https://login.example.org")
    outbox = Outbox(core(keyring=keyring), renderer, LANGUAGES)
    facts = {"code": "123456", "minutes": 60, "name": "Anna", "username": "anna"}
    with db.write() as tx:

        def post() -> None:
            outbox.post_email(tx, to="anna@example.net", template="code", account=None, **facts)

        assert least_cost(post) < 0.0015
