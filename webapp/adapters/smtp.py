"""Sends e-mail by the operator's mail server: SMTP (RFC 5321) with STARTTLS (RFC 3207) or implicit TLS (RFC 8314).

An error names the server's reply code and must never contain its text, in which servers quote addresses and codes.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

import idna

from ..domain.ports import (
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
    Unreachable,
)
from ..settings import MailServer
from .deadline import Deadline

MESSAGE_POLICY = SMTP.clone(cte_type="7bit")  # not every server supports 8BITMIME
PLAIN_ADDRESS = re.compile(r'[^\s@"(),:;<>\[\\\]]+@[^\s@"(),:;<>\[\\\]]+')
DOT_ATOM = re.compile(r"[^.]+(\.[^.]+)*")
ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")  # RFC 3463
RELAYING = {550, 551, 553, 554}  # RFC 5321 section 3.6.2
OPERATORS_FAULT = {530, 534, 535, 538}  # RFC 4954 section 6: about our credentials, not about the message


class SmtpMail:
    keeps = False

    def __init__(
        self, server: MailServer, sender: str, timeout: int, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        """`timeout` limits a whole delivery, in seconds. Without `ssl_context` the system's authorities are trusted."""
        self._server = server
        self._sender = Address(addr_spec=_ascii_address(sender))
        self._timeout = timeout
        self._ssl_context = ssl_context

    def send(self, email: Email) -> None:
        to = _ascii_address(email.to)
        message = self._composed(email, to)
        with self._connected() as server:
            try:
                server.send_message(message, self._sender.addr_spec, [to])
            except smtplib.SMTPNotSupportedError:
                raise Refused("the mail server cannot carry an address outside ASCII") from None
            except smtplib.SMTPRecipientsRefused as refusal:
                raise _error_for("the recipient", *next(iter(refusal.recipients.values()))) from None
            except smtplib.SMTPResponseException as refusal:
                what = "the sender" if isinstance(refusal, smtplib.SMTPSenderRefused) else "the message"
                raise _error_for(what, refusal.smtp_code, refusal.smtp_error) from None

    def check(self) -> None:
        with self._connected():
            pass

    @contextmanager
    def _connected(self) -> Iterator[_Client]:
        """A client that is connected, encrypted and authenticated as the settings say. Raises `Unreachable`."""
        step = OTHER_FAULT
        with Deadline(self._timeout) as deadline:
            try:
                server = _Client(self._server, self._sender.domain, deadline, self._context())
                try:
                    server.ehlo_or_helo_if_needed()
                    if self._server.tls == "starttls":
                        step = NO_TLS
                        server.starttls(context=self._context())  # raises when the server does not offer it
                    if self._server.user:
                        step = CREDENTIALS
                        server.login(self._server.user, self._server.password or "")
                    step = OTHER_FAULT
                    yield server
                    # the server has accepted the message: an error of QUIT is no reason to send it again
                    with suppress(smtplib.SMTPException, OSError):
                        server.quit()
                finally:
                    server.close()
            except (smtplib.SMTPException, OSError, UnicodeError) as error:
                fault = TIMED_OUT if _is_timeout(error, deadline) else _fault(error, step)
                raise Unreachable(self._reason(error, deadline), fault) from None

    def _context(self) -> ssl.SSLContext | None:
        if self._server.tls == "none":
            return None
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()  # once, because it reads files
        return self._ssl_context

    def _composed(self, email: Email, to: str) -> EmailMessage:
        message = EmailMessage(policy=MESSAGE_POLICY)
        message["From"] = self._sender
        message["To"] = to
        message["Subject"] = _one_line(email.subject)
        message["Date"] = datetime.now(UTC)
        message["Message-ID"] = f"<{email.message_id}@{self._sender.domain}>"  # the same at each retry
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: prevents automatic replies
        message.set_content(email.text)
        message.add_alternative(email.html, subtype="html")
        return message

    def _reason(self, error: Exception, deadline: Deadline) -> str:
        if _is_timeout(error, deadline):
            return f"the mail server took longer than {self._timeout} s"
        match error:
            case smtplib.SMTPAuthenticationError():
                return f"the mail server refused our user name and password: {_code(error.smtp_code, error.smtp_error)}"
            case smtplib.SMTPNotSupportedError():
                return "the mail server does not offer the encryption or the log-in that NIGHTLATCH_MAIL_URL asks for"
            case smtplib.SMTPResponseException():
                return f"the mail server is not ready: {_code(error.smtp_code, error.smtp_error)}"
            case ssl.SSLCertVerificationError():
                return f"the mail server's certificate is not trusted: {error.verify_message}"
            case ssl.SSLError():
                return f"no encryption with the mail server: {error.reason}"
            case smtplib.SMTPException():
                return f"the mail server ended the conversation ({type(error).__name__})"
            case OSError():
                return f"the mail server can't be reached: {error.strerror or type(error).__name__}"
        return f"the mail server cannot be spoken to ({type(error).__name__})"


class _Client(smtplib.SMTP):
    def __init__(self, server: MailServer, name: str, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        self._deadline = deadline
        self._implicit = context if server.tls == "implicit" else None
        # EHLO with the sender's domain: by default smtplib asks the resolver for our own name, which can be slow
        super().__init__(server.host, server.port, local_hostname=name, timeout=deadline.left)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # half of the time for each address, so that IPv4 is tried when an IPv6 route does not work
        connection = self._deadline.within(lambda: socket.create_connection((host, port), timeout / 2))
        connection.settimeout(self._deadline.left)
        self._deadline.watch(connection)
        return self._implicit.wrap_socket(connection, server_hostname=host) if self._implicit else connection


def _ascii_address(address: str) -> str:
    """The address with its domain in ASCII (IDNA), quoted where its dots need it (RFC 5321 section 4.1.2).

    Raises `Refused` for one that could inject a header.

    "=?" would be read as an encoded word (RFC 2047), which Python before 3.11.10 decodes to line breaks.
    """
    user, _, domain = address.rpartition("@")
    if not PLAIN_ADDRESS.fullmatch(address) or not address.isprintable() or "=?" in address:
        raise Refused("not an address that mail can be sent to")
    if not DOT_ATOM.fullmatch(user):
        user = f'"{user}"'
    if domain.isascii():
        return f"{user}@{domain}"
    try:  # the standard library's codec would turn ß into ss
        return f"{user}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise Refused("not a domain that mail can be sent to") from None


def _one_line(subject: str) -> str:
    line = " ".join(subject.split()).replace("=?", "= ?")  # see `_ascii_address`
    return "".join(c for c in line if unicodedata.category(c) != "Cc")


def _is_timeout(error: Exception, deadline: Deadline) -> bool:
    # smtplib reports a timeout of the socket as SMTPServerDisconnected
    return deadline.has_passed or any(isinstance(e, TimeoutError) for e in (error, error.__context__))


def _fault(error: Exception, step: str) -> str:
    """`step` is the fault of a reply at this point of the conversation."""
    match error:
        case socket.gaierror():
            return NAME_UNKNOWN
        case ConnectionRefusedError():
            return CONNECTION_REFUSED
        case ssl.SSLCertVerificationError():
            return CERTIFICATE
        case ssl.SSLError():
            return NO_TLS
        case smtplib.SMTPServerDisconnected():
            return OTHER_FAULT
        case smtplib.SMTPException() | UnicodeError():
            return step
    return OTHER_FAULT


def _error_for(what: str, code: int, reply: bytes | str) -> Refused | Unreachable:
    complaint = f"the mail server did not take {what}: {_code(code, reply)}"
    if code in OPERATORS_FAULT:
        return Unreachable(complaint, CREDENTIALS)
    fault = RELAY_DENIED if what != "the message" and _is_about_relaying(code, reply) else OTHER_FAULT
    return Refused(complaint, fault) if 500 <= code <= 599 else Unreachable(complaint, fault)


def _is_about_relaying(code: int, reply: bytes | str) -> bool:
    """5.7.1 is "delivery not authorized" (RFC 3463 section 3.8). Not every server sends such a number."""
    words = (reply if isinstance(reply, bytes) else reply.encode()).lower()
    return code in RELAYING and (b"relay" in words or words.startswith(b"5.7.1 "))


def _code(code: int, reply: bytes | str) -> str:
    """The numbers of a reply, such as `550 5.1.1`."""
    enhanced = ENHANCED.match(reply if isinstance(reply, bytes) else reply.encode())
    return f"{code} {enhanced[0].decode()}" if enhanced else str(code)
