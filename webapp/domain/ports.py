"""The outside world as the product sees it: time, chance, hashing, sealing and delivery.

Only `bootstrap` decides what stands behind a port.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Seconds since 1970-01-01 UTC."""


class Entropy(Protocol):
    def bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""

    def below(self, bound: int) -> int:
        """An unpredictable whole number, 0 <= n < bound, each as likely as the next."""


class PasswordHasher(Protocol):
    def hash(self, password: str) -> str:
        """An encoded Argon2id hash (RFC 9106). Raises `Busy` when too many run at once."""

    def verify(self, encoded: str | None, password: str) -> bool:
        """True when `password` made `encoded`; None costs the same time and is False. Raises `Busy`."""

    def is_outdated(self, encoded: str) -> bool:
        """True when today's parameters are not those of `encoded`."""


class Keyring(Protocol):
    def seal(self, plaintext: str, bound_to: str) -> str:
        """AES-256-GCM under the newest key, openable only with the same `bound_to`."""

    def open(self, sealed: str, bound_to: str) -> str:
        """What was sealed. Raises `ValueError` when the key is gone or the text was altered or moved."""

    def mac(self, text: str, bound_to: str) -> str:
        """A keyed HMAC-SHA-256 of `text` under the newest key."""

    def macs(self, text: str, bound_to: str) -> list[str]:
        """What `mac` says under each key, the newest first: one of them was said before the last rotation."""

    def knows(self, mac: str) -> bool:
        """True when the key that made `mac` is still among the settings."""

    def is_mac_of(self, mac: str, text: str, bound_to: str) -> bool:
        """Compares in constant time."""

    def is_newest(self, sealed: str) -> bool:
        """True when `sealed` was made under the key that seals today."""


class Heartbeat(Protocol):
    def newest(self) -> int:
        """The highest count ever kept; 0 when there is none."""

    def keep(self, beats: int) -> None:
        """Remembers it outside the database."""


@dataclass(frozen=True, slots=True)
class Email:
    """One message, whole: what SMTP carries."""

    message_id: str
    to: str
    subject: str
    text: str
    html: str


class Refused(Exception):
    """The other side said no for good (SMTP 5xx): retrying would not help."""


class Gone(Refused):
    """The address itself is no more (RFC 8030 section 7.3): nothing will ever go there again."""


class Unreachable(Exception):
    """The other side was down, slow or said "later" (SMTP 4xx): worth another try, after `wait` seconds if it said."""

    wait: int | None = None


class Mail(Protocol):
    keeps: bool
    """True when a delivered message stays readable in the outbox (development)."""

    def send(self, email: Email) -> None:
        """Hands over one message. Raises `Refused` or `Unreachable`."""

    def check(self) -> None:
        """Connects, greets and authenticates without sending. Raises `Refused` or `Unreachable`."""


@dataclass(frozen=True, slots=True)
class TextMessage:
    """One text message, whole: what the gateway carries."""

    message_id: str
    """Ours, the same at each retry."""
    to: str
    """In E.164, with its plus sign."""
    text: str
    lasts: int
    """Seconds for which it is of use; later it need not arrive."""


class TextMessages(Protocol):
    keeps: bool
    """True when a delivered message stays readable in the outbox (development)."""
    available: bool
    """False on a site without a gateway, which offers no text messages."""

    def send(self, message: TextMessage) -> None:
        """Raises `Refused` or `Unreachable`."""

    def check(self) -> None:
        """Proves who we are without sending. Raises `Refused` or `Unreachable`."""


@dataclass(frozen=True, slots=True)
class PushMessage:
    """One push, whole: what a push service carries, encrypted for one browser."""

    message_id: str
    subscription: str
    """The browser's, as JSON: its endpoint and keys."""
    text: str
    """Declarative Web Push JSON."""
    lasts: int
    """Seconds for which it is of use."""
    factor_id: int
    """The phone it is for."""


class Pushes(Protocol):
    public_key: str | None
    """Which browsers subscribe with, in base64url (RFC 8292 section 3.2); None where no push can go."""

    def send(self, message: PushMessage) -> None:
        """Hands over one push. Raises `Gone`, `Refused` or `Unreachable`."""


class Places(Protocol):
    def near(self, address: str) -> str | None:
        """Roughly where a network address is, in the language now spoken; None when nobody knows."""


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """What an e-mail says, before anybody knows to whom: `subject` is one line, `text` comes first on the wire."""

    subject: str
    text: str
    html: str


class MessageRenderer(Protocol):
    def render_email(self, template: str, /, **facts: object) -> RenderedEmail:
        """The letter `template` about `facts`, in the language now spoken."""

    def render_text_message(self, template: str, /, **facts: object) -> str:
        """The same for a text message."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """What stands for the outside world in one site."""

    clock: Clock
    entropy: Entropy
    hasher: PasswordHasher
    mail: Mail
    texts: TextMessages
    renderer: MessageRenderer
    pushes: Pushes
    places: Places
