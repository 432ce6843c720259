"""E-mail over a real connection to a real server that works or fails."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.certificates import LOOPBACK, Certificate, self_signed
from webapp.adapters.smtp import SmtpMail
from webapp.domain.ports import (
    CERTIFICATE,
    CONNECTION_REFUSED,
    CREDENTIALS,
    NAME_UNKNOWN,
    NO_TLS,
    OTHER_FAULT,
    RELAY_DENIED,
    TIMED_OUT,
    Email,
    Refused,
    Undelivered,
    Unreachable,
)
from webapp.settings import MailServer

ANNA = "anna@example.net"
SENDER = "no-reply@login.example.org"
PASSWORD = "correct horse"
EMAIL = Email("c0ffee", ANNA, "123456 is your Nightlatch code", "Hello,\n\n123456\n", "<p>123456</p>")
SECRETS = (ANNA, "anna", "123456", PASSWORD, "is your")


@dataclass
class Inbox:
    """What the server accepted. Replies in `recipient` and `data` are given first, one per attempt."""

    emails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str | None, list[str]]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    sender: list[str] = field(default_factory=list)
    recipient: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.sender:
            return self.sender.pop(0)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.recipient:
            return self.recipient.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data:
            return self.data.pop(0)
        assert isinstance(envelope.content, bytes)
        email = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(email, EmailMessage)
        self.raw.append(envelope.content)
        self.emails.append(email)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        assert server.transport
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return "250 OK"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("tls"), LOOPBACK)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


Serve = Callable[..., MailServer]


@pytest.fixture
def serve(inbox: Inbox, certificate: Certificate) -> Iterator[Serve]:
    def authenticate(server: Any, session: Any, envelope: Any, mechanism: Any, given: Any) -> AuthResult:
        return AuthResult(success=(given.login, given.password) == (b"site", PASSWORD.encode()), handled=False)

    with ExitStack() as running:

        def serve(tls: str = "none", *, password: str | None = None, **options: Any) -> MailServer:
            if tls == "starttls":
                options = {"tls_context": certificate.server(), "require_starttls": True, **options}
            if tls == "implicit":
                options = {"ssl_context": certificate.server(), **options}
            if password is not None:
                options = {"authenticator": authenticate, "auth_required": True, **options}
            controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), **options)
            controller.start()
            running.callback(controller.stop)
            user = None if password is None else "site"
            return MailServer("127.0.0.1", controller.port, user, password, tls)

        yield serve


def mail(
    server: MailServer, certificate: Certificate | None = None, timeout: int = 5, sender: str = SENDER
) -> SmtpMail:
    return SmtpMail(server, sender, timeout, ssl_context=certificate.client() if certificate else None)


def complaint_of(kind: type[Exception], send: Callable[[], object]) -> str:
    with pytest.raises(kind) as raised:
        send()
    assert type(raised.value) is kind
    complaint = str(raised.value)
    assert len(complaint) <= 200
    assert not [secret for secret in SECRETS if secret in complaint]
    return complaint


def test_an_email_arrives_complete_with_its_text_part_first(serve: Serve, inbox: Inbox) -> None:
    mail(serve()).send(EMAIL)
    [email] = inbox.emails
    assert email["From"] == SENDER
    assert email["To"] == ANNA
    assert email["Subject"] == EMAIL.subject
    assert email["Message-ID"] == "<c0ffee@login.example.org>"
    assert email["Auto-Submitted"] == "auto-generated"
    assert abs(email["Date"].datetime.timestamp() - time.time()) < 60
    assert email.get_content_type() == "multipart/alternative"
    text, html = email.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert isinstance(text, EmailMessage)
    assert text.get_content().splitlines() == ["Hello,", "", "123456"]
    assert inbox.envelopes == [(SENDER, [ANNA])]


def test_every_language_is_sent_in_seven_bits(serve: Serve, inbox: Inbox) -> None:
    said = "رمزك 123456 " * 40
    mail(serve()).send(Email("c0ffee", ANNA, said, f"{said}\n", f"<p>{said}</p>"))
    assert inbox.raw[0].isascii()
    assert max(map(len, inbox.raw[0].splitlines())) <= 998
    assert inbox.emails[0]["Subject"] == said.strip()
    body = inbox.emails[0].get_body(("plain",))
    assert isinstance(body, EmailMessage)
    assert body.get_content().splitlines() == [said]


def test_starttls_and_authentication_are_used(serve: Serve, inbox: Inbox, certificate: Certificate) -> None:
    mail(serve("starttls", password=PASSWORD), certificate).send(EMAIL)
    assert inbox.encrypted == [True]


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")  # aiosmtpd does not see TLS from the start
def test_tls_from_the_start_is_used(serve: Serve, inbox: Inbox, certificate: Certificate) -> None:
    server = serve("implicit", password=PASSWORD, auth_require_tls=False)
    mail(server, certificate).send(EMAIL)
    assert inbox.encrypted == [True]


def test_a_server_without_starttls_gets_no_email_when_starttls_is_required(serve: Serve, inbox: Inbox) -> None:
    plain = serve()
    asked = MailServer(plain.host, plain.port, None, None, "starttls")
    assert "does not offer" in complaint_of(Unreachable, lambda: mail(asked).send(EMAIL))
    assert not inbox.emails


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unknown_certificate_is_refused(serve: Serve, inbox: Inbox, tls: str) -> None:
    server = serve(tls)
    assert "certificate is not trusted" in complaint_of(Unreachable, lambda: mail(server).send(EMAIL))
    assert not inbox.emails


def test_tls_to_a_server_without_tls_is_reported_as_unreachable(serve: Serve, certificate: Certificate) -> None:
    plain = serve()
    server = MailServer(plain.host, plain.port, None, None, "implicit")
    complaint_of(Unreachable, lambda: mail(server, certificate, timeout=2).send(EMAIL))


def test_a_wrong_smtp_password_is_retried(serve: Serve, certificate: Certificate) -> None:
    server = serve("starttls", password="wrong horse")
    complaint = complaint_of(Unreachable, lambda: mail(server, certificate).send(EMAIL))
    assert complaint == "the mail server refused our user name and password: 535 5.7.8"


def test_an_smtp_password_outside_ascii_is_reported_clearly(serve: Serve, certificate: Certificate) -> None:
    server = serve("starttls", password="pässword")
    assert "UnicodeEncodeError" in complaint_of(Unreachable, lambda: mail(server, certificate).send(EMAIL))


def test_missing_smtp_credentials_are_reported_to_the_operator(serve: Serve, certificate: Certificate) -> None:
    server = serve("starttls", password=PASSWORD)
    anonymous = MailServer(server.host, server.port, None, None, "starttls")
    assert "530" in complaint_of(Unreachable, lambda: mail(anonymous, certificate).send(EMAIL))


def test_an_email_is_accepted_after_being_greylisted_twice(serve: Serve, inbox: Inbox) -> None:
    inbox.recipient = [f"451 4.7.1 <{ANNA}>: greylisted", f"451 4.7.1 <{ANNA}>: greylisted"]
    post = mail(serve())
    for _ in range(2):
        complaint = complaint_of(Unreachable, lambda: post.send(EMAIL))
        assert complaint == "the mail server did not take the recipient: 451 4.7.1"
    post.send(EMAIL)
    assert len(inbox.emails) == 1


def test_an_unknown_recipient_is_refused_permanently(serve: Serve, inbox: Inbox) -> None:
    inbox.recipient = [f"550 5.1.1 <{ANNA}> is unknown here"]
    complaint = complaint_of(Refused, lambda: mail(serve()).send(EMAIL))
    assert complaint == "the mail server did not take the recipient: 550 5.1.1"


def test_the_reply_of_a_filter_that_quotes_the_code_is_not_reported(serve: Serve, inbox: Inbox) -> None:
    inbox.data = [f"554 Rejected: '{EMAIL.subject}' looks like spam"]
    complaint = complaint_of(Refused, lambda: mail(serve()).send(EMAIL))
    assert complaint == "the mail server did not take the message: 554"


def test_a_full_disk_of_the_mail_server_is_retried(serve: Serve, inbox: Inbox) -> None:
    inbox.data = ["452 4.3.1 Insufficient system storage"]
    assert "452 4.3.1" in complaint_of(Unreachable, lambda: mail(serve()).send(EMAIL))


def test_a_refused_sender_is_reported_as_refused(serve: Serve, inbox: Inbox) -> None:
    inbox.sender = ["553 5.7.1 not yours"]
    assert complaint_of(Refused, lambda: mail(serve()).send(EMAIL)).endswith("the sender: 553 5.7.1")


def test_a_connection_closed_at_the_recipient_is_reported_as_unreachable(serve: Serve, inbox: Inbox) -> None:
    inbox.recipient = ["421 4.3.2 closing"]
    assert "421" in complaint_of(Unreachable, lambda: mail(serve()).send(EMAIL))


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[MailServer]:
    """A server that runs `talk` for one connection at a time."""
    over = threading.Event()

    def accept() -> None:
        while not over.is_set():
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line, ExitStack() as quiet:
                quiet.push(lambda kind, error, at: isinstance(error, OSError))
                talk(line)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield MailServer("127.0.0.1", listener.getsockname()[1], None, None, "none")
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def stall(line: socket.socket) -> None:
    line.settimeout(30)
    while line.recv(4096):
        pass


def drip(line: socket.socket) -> None:
    """Sends a byte every tenth of a second, so that smtplib's own time-out never ends the connection."""
    line.sendall(b"220-")
    for _ in range(300):
        time.sleep(0.1)
        line.sendall(b"x")


def converse(
    replies: dict[bytes, bytes], emails: list[bytes], commands: list[bytes] | None = None
) -> Callable[[socket.socket], None]:
    """`emails` and `commands` get what is heard."""
    said = commands if commands is not None else []

    def talk(line: socket.socket) -> None:
        line.sendall(b"220 ready\r\n")
        with line.makefile("rb") as heard:
            for command in heard:
                said.append(command)
                verb = command[:4].upper().strip()
                reply = replies.get(verb, b"250 OK\r\n")
                if verb == b"DATA":
                    line.sendall(b"354 go on\r\n")
                    emails.append(b"".join(iter(heard.readline, b".\r\n")))
                if reply == b"":
                    stall(line)
                    return
                line.sendall(reply)
                if verb == b"STAR":
                    stall(line)

    return talk


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("talk", [stall, drip])
def test_a_server_that_stalls_is_given_up_after_the_time_out(
    talk: Callable[[socket.socket], None], tls: str, certificate: Certificate
) -> None:
    with listening(talk) as server:
        slow = MailServer(server.host, server.port, None, None, tls)
        begun = time.monotonic()
        complaint = complaint_of(Unreachable, lambda: mail(slow, certificate, timeout=1).send(EMAIL))
        assert time.monotonic() - begun < 2
    assert (talk, tls) == (drip, "implicit") or complaint == "the mail server took longer than 1 s"


@pytest.mark.usefixtures("silent_resolver")
def test_a_name_server_that_stalls_is_given_up_after_the_time_out() -> None:
    begun = time.monotonic()
    server = MailServer("mail.example.org", 25, None, None, "none")
    assert complaint_of(Unreachable, lambda: mail(server, timeout=1).send(EMAIL)).endswith("took longer than 1 s")
    assert time.monotonic() - begun < 2


def test_a_server_that_stalls_at_the_tls_handshake_is_given_up_after_the_time_out(certificate: Certificate) -> None:
    replies = {b"EHLO": b"250-here\r\n250 STARTTLS\r\n", b"STAR": b"220 go on\r\n"}
    with listening(converse(replies, [])) as server:
        slow = MailServer(server.host, server.port, None, None, "starttls")
        begun = time.monotonic()
        assert "longer than 1 s" in complaint_of(Unreachable, lambda: mail(slow, certificate, timeout=1).send(EMAIL))
        assert time.monotonic() - begun < 2


def test_a_server_that_stalls_after_the_message_is_given_up_after_the_time_out() -> None:
    with listening(converse({b"DATA": b""}, [])) as server:
        begun = time.monotonic()
        assert "longer than 1 s" in complaint_of(Unreachable, lambda: mail(server, timeout=1).send(EMAIL))
        assert time.monotonic() - begun < 2


def test_a_bad_reply_to_quit_does_not_send_the_email_twice() -> None:
    emails: list[bytes] = []
    with listening(converse({b"QUIT": b""}, emails)) as server:
        mail(server, timeout=1).send(EMAIL)
    with listening(converse({b"QUIT": b"500 what?\r\n"}, emails)) as server:
        mail(server).send(EMAIL)
    assert len(emails) == 2


def test_a_server_that_is_not_ready_is_retried() -> None:
    with listening(lambda line: line.sendall(b"554 5.3.2 no service here\r\n")) as server:
        complaint = complaint_of(Unreachable, lambda: mail(server).send(EMAIL))
    assert complaint == "the mail server is not ready: 554 5.3.2"


def test_a_server_that_closes_the_connection_is_unreachable() -> None:
    with listening(lambda line: None) as server:
        assert "ended the conversation" in complaint_of(Unreachable, lambda: mail(server).send(EMAIL))


def test_a_port_without_a_server_is_unreachable() -> None:
    nobody = MailServer("127.0.0.1", free_port(), None, None, "none")
    complaint = complaint_of(Unreachable, lambda: mail(nobody).send(EMAIL))
    assert complaint == "the mail server can't be reached: Connection refused"


def test_checking_reports_the_state_of_the_server_and_sends_no_email(
    serve: Serve, inbox: Inbox, certificate: Certificate, tmp_path: Path
) -> None:
    mail(serve("starttls", password=PASSWORD), certificate).check()
    bad = serve("starttls", password="wrong horse")
    complaint_of(Unreachable, lambda: mail(bad, certificate).check())
    assert not inbox.emails


@pytest.mark.parametrize(
    "address",
    [
        "anna@example.net\r\nBcc: eve@example.com",
        "anna@example.net, eve@example.com",
        "=?utf-8?q?a=0D=0ABcc=3A_x?=@example.com",  # a valid address, which Python 3.11.7 decodes into two headers
        "Anna <anna@example.net>",
        "anna @example.net",
        "anna",
        "anna@",
        "@example.net",
        "an\x00na@example.net",
        "anna@exa\u00admple.net",
        "anna@ex--\u0301.net",
        "",
    ],
)
def test_an_address_cannot_add_a_header(serve: Serve, inbox: Inbox, address: str) -> None:
    server = mail(serve())
    with pytest.raises(Refused):
        server.send(Email("c0ffee", address, "Hello", "Hello\n", "<p>Hello</p>"))
    assert not inbox.emails


@pytest.mark.parametrize(
    "subject", ["Hello\r\nX-Evil: 1", "=?utf-8?q?x=0D=0AX-Evil:_1?=", "Hello\x00\x0bX-Evil: 1", "Hello\u2028X-Evil: 1"]
)
def test_a_subject_cannot_add_a_header(serve: Serve, inbox: Inbox, subject: str) -> None:
    mail(serve()).send(Email("c0ffee", ANNA, subject, "Hello\n", "<p>Hello</p>"))
    assert "X-Evil" not in inbox.emails[0]
    assert "\x00" not in inbox.emails[0]["Subject"]


def test_a_domain_in_any_script_is_sent_in_ascii(serve: Serve, inbox: Inbox) -> None:
    mail(serve()).send(Email("c0ffee", "anna@Straße.example", "Hello", "Hello\n", "<p>Hello</p>"))
    assert inbox.envelopes == [(SENDER, ["anna@xn--strae-oqa.example"])]
    assert inbox.emails[0]["To"] == "anna@xn--strae-oqa.example"


@pytest.mark.parametrize("local", ["a..b.", ".a", "a."])
def test_a_local_part_with_odd_dots_is_quoted(local: str) -> None:
    """RFC 5321 section 4.1.2; some carriers gave out such addresses."""
    emails, commands = list[bytes](), list[bytes]()
    with listening(converse({}, emails, commands)) as server:
        mail(server).send(Email("c0ffee", f"{local}@example.net", "Hello", "Hello\n", "<p>Hello</p>"))
    assert f'rcpt TO:<"{local}"@example.net>\r\n'.encode() in commands
    assert f'To: "{local}"@example.net'.encode() in emails[0].splitlines()


def test_an_address_outside_ascii_is_sent_only_to_servers_with_smtputf8(serve: Serve, inbox: Inbox) -> None:
    email = Email("c0ffee", "zoë@example.net", "Hello", "Hello\n", "<p>Hello</p>")
    mail(serve(enable_SMTPUTF8=True)).send(email)
    assert inbox.envelopes == [(SENDER, ["zoë@example.net"])]
    assert "outside ASCII" in complaint_of(Refused, lambda: mail(serve(enable_SMTPUTF8=False)).send(email))


# -- What is wrong, as a fact for the operator's page --------------------------------------------------


def fault_of(post: SmtpMail) -> str:
    with pytest.raises(Undelivered) as raised:
        post.send(EMAIL)
    return raised.value.fault


def test_a_name_that_no_resolver_knows_and_a_port_without_a_server_are_told_apart() -> None:
    assert fault_of(mail(MailServer("mail.invalid", 25, None, None, "none"))) == NAME_UNKNOWN
    assert fault_of(mail(MailServer("127.0.0.1", free_port(), None, None, "none"))) == CONNECTION_REFUSED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_missing_encryption_and_a_certificate_are_told_apart(serve: Serve, certificate: Certificate) -> None:
    plain = serve()
    for tls in ("starttls", "implicit"):
        asked = MailServer(plain.host, plain.port, None, None, tls)
        assert fault_of(mail(asked, certificate, timeout=2)) == NO_TLS
        assert fault_of(mail(serve(tls))) == CERTIFICATE
    refusing = {b"EHLO": b"250-here\r\n250 STARTTLS\r\n", b"STAR": b"454 4.7.0 not now\r\n"}
    with listening(converse(refusing, [])) as server:
        asked = MailServer(server.host, server.port, None, None, "starttls")
        assert fault_of(mail(asked, timeout=2)) == NO_TLS


def test_a_wrong_password_a_missing_one_and_a_server_without_logins_are_about_credentials(
    serve: Serve, certificate: Certificate
) -> None:
    assert fault_of(mail(serve("starttls", password="wrong horse"), certificate)) == CREDENTIALS
    assert fault_of(mail(serve("starttls", password="pässword"), certificate)) == CREDENTIALS
    server = serve("starttls", password=PASSWORD)
    assert fault_of(mail(MailServer(server.host, server.port, None, None, "starttls"), certificate)) == CREDENTIALS
    with listening(converse({b"EHLO": b"250 here\r\n"}, [])) as plain:
        assert fault_of(mail(MailServer(plain.host, plain.port, "site", PASSWORD, "none"))) == CREDENTIALS
    with listening(converse({b"EHLO": b"250-here\r\n250 AUTH GSSAPI\r\n"}, [])) as plain:
        assert fault_of(mail(MailServer(plain.host, plain.port, "site", PASSWORD, "none"))) == CREDENTIALS


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (f"554 5.7.1 <{ANNA}>: Relay access denied", RELAY_DENIED),  # Postfix
        ("550 relay not permitted", RELAY_DENIED),  # Exim
        ("550 5.7.1 Delivery not authorized", RELAY_DENIED),
        ("550 5.7.54 SMTP; Unable to relay recipient", RELAY_DENIED),  # Exchange
        (f"550 5.1.1 <{ANNA}> is unknown here", OTHER_FAULT),
        ("450 4.7.1 relay: try again later", OTHER_FAULT),
        ("452 4.2.2 mailbox is full", OTHER_FAULT),
    ],
)
def test_a_denied_relay_and_another_refusal_of_the_recipient_are_told_apart(
    serve: Serve, inbox: Inbox, reply: str, fault: str
) -> None:
    inbox.recipient = [reply]
    assert fault_of(mail(serve())) == fault


def test_a_filter_that_names_relays_in_its_reply_to_the_message_is_none(serve: Serve, inbox: Inbox) -> None:
    inbox.data = ["554 5.7.1 this relay takes no spam"]
    assert fault_of(mail(serve())) == OTHER_FAULT


def test_a_server_that_stalls_and_one_that_hangs_up_are_told_apart() -> None:
    with listening(stall) as server:
        assert fault_of(mail(server, timeout=1)) == TIMED_OUT
    with listening(lambda line: None) as server:
        assert fault_of(mail(server)) == OTHER_FAULT
    with listening(lambda line: line.sendall(b"554 5.3.2 no service here\r\n")) as server:
        assert fault_of(mail(server)) == OTHER_FAULT
