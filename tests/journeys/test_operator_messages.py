"""The operator's page of messages, and test messages to real servers that work or fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert, update

from tests.adapters import gateway as answers
from tests.adapters.app_server import AppServer
from tests.adapters.gateway import Gateway
from tests.adapters.test_smtp import converse, free_port, listening, stall
from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.journeys.test_operators_pages import each_way
from tests.people import Owner, Page
from tests.relying_party import ToldParty
from webapp.adapters.smtp import SmtpMail
from webapp.adapters.vonage import VonageTexts
from webapp.models.accounts import Account
from webapp.models.messages import FAILED, Message
from webapp.settings import ROOT, MailServer, TextGateway
from webapp.web.pages.operator_messages import KINDS

MESSAGES = "/operator/messages"
TEMPLATES = ROOT / "templates"
NO_FILE = {"app-log-out", "login-request", "recovery-started"}
"""Messages whose text is made where they are posted."""
SENDER = "no-reply@login.example.org"
TAKEN = "The server took the test message. It should arrive soon."


@dataclass
class Switched:
    """Keeps messages in the outbox, as a development site does, until a test lets it send them by a real adapter."""

    real: Any = None
    available: bool = True

    @property
    def keeps(self) -> bool:
        return self.real is None

    def send(self, message: Any) -> None:
        if self.real is not None:
            self.real.send(message)

    def check(self) -> None:
        """Nothing to check."""


class Peers:
    """A mail server and a gateway, which a test tells what to answer, and the adapters that reach them."""

    def __init__(self, running: ExitStack) -> None:
        self.emails: list[bytes] = []
        self.replies: dict[bytes, bytes] = {}
        self.server = running.enter_context(listening(converse(self.replies, self.emails)))
        self.silent = running.enter_context(listening(stall))
        self.gateway = running.enter_context(Gateway())
        self.mail, self.texts = Switched(), Switched()

    def start(self, mail: SmtpMail | None = None) -> None:
        self.mail.real = mail or SmtpMail(self.server, SENDER, 5)
        self.texts.real = VonageTexts(TextGateway("abcd1234", "correct-horse", "Nightlatch", self.gateway.url, None), 5)


@pytest.fixture
def peers() -> Iterator[Peers]:
    with ExitStack() as running:
        yield Peers(running)


@pytest.fixture
def overrides(peers: Peers) -> dict[str, Any]:
    return {"hasher": CheapHasher(), "mail": peers.mail, "texts": peers.texts}


def operator(site: Site, peers: Peers | None = None, **options: Any) -> Owner:
    """Ada, who has just used her key; the messages of a site with `peers` are sent from then on."""
    ada = Owner.signed_up(site, **options)
    ada.turn_on_key()
    site.services.operators.roles.promote("ada")
    if peers is not None:
        peers.start()
    return ada


def outcome_of(ada: Owner) -> Page:
    ada.open(MESSAGES)
    page = ada.press("Send a test message")
    assert page.h1 == "Test message", page.text
    return page


@each_way
def test_a_test_message_is_sent_at_once_and_recorded(site: Site, peers: Peers, layout: str, htmx: bool) -> None:
    ada = operator(site, peers, layout=layout, htmx=htmx)
    ada.open("/operator")
    assert ada.follow("Messages").h1 == "Messages"
    assert outcome_of(ada).says(TAKEN)
    [email] = peers.emails
    assert b"To: ada@example.org" in email
    assert b"Subject: Test message from Nightlatch" in email
    assert not peers.gateway.texts, "this account has no number"
    ada.open("/settings/security/activity")
    assert ada.page.says("You sent a test message.")


def test_a_text_goes_to_the_own_number(site: Site, peers: Peers) -> None:
    ada = operator(site)
    ada.turn_on_texts()
    peers.start()
    site.clock.pass_(61)
    page = outcome_of(ada)
    assert page.text.count(TAKEN) == 2
    [text] = peers.gateway.texts
    assert text.form["text"] == "Test message from Nightlatch"
    site.clock.pass_(61)
    peers.gateway.answers = [answers.fails(401)]
    page = outcome_of(ada)
    assert page.says("The server didn't accept the username and password in the settings.")
    assert page.says("(the text message gateway refused our API key and secret: HTTP 401)")
    assert page.says(TAKEN), "the email went out"
    page = outcome_of(ada)
    assert page.says("You can request another in"), "two texts within a minute"
    assert len(peers.gateway.texts) == 2


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ({b"RCPT": b"554 5.7.1 <ada@example.org>: Relay access denied\r\n"}, "(relay denied)"),
        ({b"RCPT": b"530 5.7.0 Authentication required\r\n"}, "didn't accept the username and password"),
        ({b"RCPT": b"550 5.1.1 nobody here\r\n"}, "The server didn't take the test message."),
        ({b"DATA": b"451 4.3.0 later\r\n"}, "The server didn't take the test message."),
    ],
)
def test_the_page_says_what_the_server_refused(
    site: Site, peers: Peers, reply: dict[bytes, bytes], sentence: str
) -> None:
    ada = operator(site, peers)
    peers.replies.update(reply)
    page = outcome_of(ada)
    assert page.status == 200
    assert page.says(sentence)
    assert not page.says(TAKEN)
    assert not page.says("ada@example.org"), "what a server quotes is not shown"


@pytest.mark.parametrize(
    ("address", "tls", "sentence"),
    [
        (lambda _: ("mail.invalid", 25), "none", "The name of the server wasn't found."),
        (lambda _: ("127.0.0.1", free_port()), "none", "The server refused the connection."),
        (
            lambda p: (p.server.host, p.server.port),
            "starttls",
            "There was no encrypted connection to the server (TLS).",
        ),
        (lambda p: (p.silent.host, p.silent.port), "none", "The server took too long to answer."),
    ],
)
def test_the_page_says_what_is_wrong_with_the_connection(
    site: Site, peers: Peers, address: Callable[[Peers], tuple[str, int]], tls: str, sentence: str
) -> None:
    ada = operator(site)
    peers.start(SmtpMail(MailServer(*address(peers), None, None, tls), SENDER, 1))
    page = outcome_of(ada)
    assert page.says(sentence), page.text
    assert not page.says(TAKEN)
    assert ada.open(f"{MESSAGES}/test").h1 == "Messages", "it is said once"


def test_a_site_without_a_mail_server_says_so(site: Site) -> None:
    assert outcome_of(operator(site)).says("The settings name no server for this, so nothing was sent.")


def test_tests_are_limited(site: Site, peers: Peers) -> None:
    ada = operator(site, peers)
    for _ in range(5):
        outcome_of(ada)
    ada.open(MESSAGES)
    page = ada.press("Send a test message")
    assert (page.status, page.h1) == (429, "Messages")
    assert page.says("Too many attempts. Try again in")
    assert len(peers.emails) == 5


def test_a_test_needs_the_key_a_token_and_a_confirmed_address(site: Site, peers: Peers) -> None:
    ada = operator(site, peers)
    ada.open(MESSAGES)
    page = ada.post(f"{MESSAGES}/test", csrf_token="wrong")
    assert page.status in (400, 422)
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(email=None))
    ada.open(MESSAGES)
    assert ada.press("Send a test message").status == 422
    site.clock.pass_(601)
    ada.open(MESSAGES)
    assert ada.page.h1 != "Messages"
    assert not peers.emails


def test_the_list_shows_kinds_and_outcomes_and_no_content(site: Site) -> None:
    ada = operator(site)
    row = {"channel": "text", "template": "code", "state": FAILED, "attempts": 1, "made_at": site.services.clock.now()}
    complaint = "the text message gateway did not take the message: status 6"
    with site.services.db.write() as tx:
        tx.execute(insert(Message).values(uid="a", due_at=0, complaint=complaint, **row))
        tx.execute(insert(Message).values(uid="b", due_at=0, **{**row, "channel": "nowhere", "template": "of-nobody"}))
        for channel, template in (("log-out", "app-log-out"), ("push", "recovery-started"), ("email", "of-a-method")):
            values = {**row, "channel": channel, "template": template, "complaint": None}
            tx.execute(insert(Message).values(uid=template, due_at=0, **values))
    page = ada.open(MESSAGES)
    headings = [heading.get_text() for heading in page.soup.find_all("h2")]
    assert {"Failed messages", "Newest messages"} <= set(headings)
    assert page.says(complaint)
    assert page.says("Email")
    assert page.says("Sent")
    assert page.says("Failed")
    rows = [(row.strong.get_text(), row.p.get_text().partition(" · ")[0]) for row in page.soup.select(".rows li")]
    assert rows[:4] == [
        ("Email Failed", "Email"),
        ("Your two-factor authentication will be turned off Failed", "Notification"),
        ("Logout Failed", "App"),
        ("Confirmation code Failed", "Text message"),
    ]
    assert any(heading.startswith("Security alert ") for heading, _channel in rows)
    assert not re.search(r"\bof-|%\(", page.text)
    assert not re.search(r"ada@example|\b\d{6}\b", page.soup.find("main").get_text())


def test_an_app_that_was_not_told_of_a_log_out_is_named_although_it_was_deleted(site: Site) -> None:
    ada, bob = operator(site), Owner.signed_up(site, "bob")
    with AppServer() as server:
        server.answers += [(400, b"")] * 2
        kept, deleted = (ToldParty(site, server, name=name, trusted=True) for name in ("Wiki", "<b>Films"))
        kept.tokens(bob)
        deleted.tokens(bob)
        site.services.operators.apps.delete(deleted.client_id)
        bob.log_out()
        site.services.delivery.deliver_due()
    rows = [row.get_text(" ", strip=True) for row in ada.open(MESSAGES).soup.select(".rows li")]
    refused = [row for row in rows if "the app refused the log-out: HTTP 400" in row]
    assert [name for name in ("App · Wiki ·", "App · <b>Films ·") if any(name in row for row in refused)] == [
        "App · Wiki ·",
        "App · <b>Films ·",
    ]


def test_every_template_has_words_on_the_page() -> None:
    emails = {subject.parent.name for subject in TEMPLATES.glob("email/*/subject.txt")}
    assert emails | {text.stem for text in TEMPLATES.glob("sms/*.txt")} | NO_FILE == set(KINDS)


def test_a_site_that_sent_nothing_says_so(site: Site) -> None:
    ada = operator(site)
    with site.services.db.write() as tx:
        tx.execute(Message.__table__.delete())  # type: ignore[attr-defined]
    assert ada.open(MESSAGES).says("Nothing has been sent yet.")
