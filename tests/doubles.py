"""Test doubles of the outside world. They are passed in as arguments; nothing is patched."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from webapp.adapters.keyring import AesGcmKeyring
from webapp.domain.ports import Email, HashCost, PushMessage, RenderedEmail, TextMessage
from webapp.models.database import Database
from webapp.policy import Policy
from webapp.services.core import Core

START = 1_800_000_000  # 2027-01-15 08:00:00 UTC


class FakeClock:
    """Stands still until a test advances it."""

    def __init__(self, now: int = START) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def pass_(self, seconds: int) -> None:
        self._now += seconds

    def turn_to(self, now: int) -> None:
        self._now = now


class ScriptedEntropy:
    """Draws the scripted numbers, then others: never the same twice, and the same ones in every run."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = deque(numbers)
        self._drawn = 0

    def script(self, *numbers: int) -> None:
        """The numbers that `below` draws next."""
        self._numbers.extend(numbers)

    def bytes(self, count: int) -> bytes:
        drawn = b""
        while len(drawn) < count:
            self._drawn += 1
            drawn += sha256(f"entropy {self._drawn}".encode()).digest()
        return drawn[:count]

    def below(self, bound: int) -> int:
        if self._numbers:
            number = self._numbers.popleft()
            assert 0 <= number < bound, f"{number} was scripted, and one below {bound} is drawn"
            return number
        return int.from_bytes(self.bytes(16)) % bound


class Meanwhile:
    """Calls `happens` once, when it is asked: what another request does in between."""

    happens: Callable[[], Any] | None = None

    def _call(self) -> None:
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()


class MeanwhileClock(FakeClock, Meanwhile):
    def now(self) -> int:
        self._call()
        return super().now()


class MeanwhileEntropy(ScriptedEntropy, Meanwhile):
    def bytes(self, count: int) -> bytes:
        self._call()
        return super().bytes(count)


class RecordingMail:
    """A mail server that records what it accepted. Exceptions in `troubles` are raised first, one per delivery."""

    def __init__(self, *troubles: Exception, keeps: bool = False) -> None:
        self.keeps = keeps
        self.troubles = deque(troubles)
        self.sent: list[Email] = []

    def send(self, email: Email) -> None:
        if self.troubles:
            raise self.troubles.popleft()
        self.sent.append(email)

    def check(self) -> None:
        if self.troubles:
            raise self.troubles[0]


class FailingTexts:
    """A text message gateway that accepts everything and records it, or raises `trouble` while that is set."""

    keeps, available = True, True

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.taken: list[TextMessage] = []

    def send(self, message: TextMessage) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.taken.append(message)

    def check(self) -> None:
        """Reports no trouble."""


class FailingPushes:
    """A push service that accepts everything and records it, or raises `trouble` while that is set."""

    public_key: str | None = "BPk"

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.taken: list[tuple[PushMessage, int]] = []

    def send(self, message: PushMessage) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.taken.append((message, message.lasts))


class PlainRenderer:
    """E-mails that only list their facts."""

    def render_email(self, template: str, /, **facts: object) -> RenderedEmail:
        told = ", ".join(f"{name}={fact}" for name, fact in facts.items())
        return RenderedEmail(template, f"{told}\n", f"<p>{told}</p>\n")


class CheapHasher:
    """Password hashing without the cost. `cost` is a parameter that an operator may raise."""

    def __init__(self, cost: int = 1) -> None:
        self.cost = cost
        self.verified: list[str | None] = []

    def hash(self, password: str) -> str:
        return f"{self.cost}:{sha256(password.encode()).hexdigest()}"

    def verify(self, encoded: str | None, password: str) -> bool:
        self.verified.append(encoded)
        return encoded is not None and encoded.partition(":")[2] == sha256(password.encode()).hexdigest()

    def is_outdated(self, encoded: str) -> bool:
        return int(encoded.partition(":")[0]) < self.cost

    def measure(self) -> HashCost:
        return HashCost(0.1, 0, True)


KEY = ("k1", bytes(range(32)))


def core(db: Database | None = None, **parts: Any) -> Core:
    """What services are built on, with doubles for everything that is not given."""
    entropy = parts.pop("entropy", None) or ScriptedEntropy()
    given = {"clock": FakeClock(), "keyring": AesGcmKeyring([KEY], ScriptedEntropy()), "policy": Policy(), **parts}
    return Core(db=db, entropy=entropy, **given)  # type: ignore[arg-type]  # None where nothing is stored
