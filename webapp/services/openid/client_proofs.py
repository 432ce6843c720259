"""How a request proves which app sent it: by a secret, a signed assertion, or the name alone of a public app."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import unquote

from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from . import assertions
from .assertions import Assertions
from .client_keys import KeysUnreachable
from .clients import Client, Clients
from .discovery import TOKEN
from .provider import Received, Registered
from .signed_proofs import OneUse, ProofRefused

LONGEST_CLIENT_ID = 64


@dataclass(frozen=True, slots=True)
class Presented:
    """The client that a request names, empty where it names none, and what it proves itself by."""

    name: str
    secret: str | None = None
    assertion: str | None = None


@dataclass(frozen=True, slots=True)
class ClientProofs:
    core: Core
    attempts: Attempts
    clients: Clients
    assertions: Assertions
    issuer: str

    def judge(self, presented: Presented, path: str, network: str) -> tuple[Client | None, OneUse | None]:
        """The named client, and what is to be stored of its assertion. `path` is the one that was called.

        A proof that is wrong is counted before it is answered: raises `TooManyAttempts`, and `ProofRefused` for an
        assertion; Authlib refuses any other. A right one is not counted, however many come at once: 256 random bits
        cannot be guessed.
        """
        name = presented.name
        client = self.clients.client(name) if len(name) <= LONGEST_CLIENT_ID else None
        try:
            if client is not None and presented.assertion is not None:
                audiences = self.issuer, f"{self.issuer}{TOKEN}", f"{self.issuer}{path}"
                return client, self.assertions.verified(client.app, presented.assertion, audiences)
            if client is None or not Registered(client).is_proved_by(presented.secret):
                self._count(client, network)
        except KeysUnreachable:  # nothing was compared
            raise
        except ProofRefused:
            self._count(client, network)
            raise
        return client, None

    def _count(self, client: Client | None, network: str) -> None:
        known = client.app.client_id if client is not None else "?"
        self.attempts.spend(Bucket(f"client:{known}:{network}", SlidingWindows((self.core.policy.client_failures,))))


def presented_by(received: Received) -> Presented | None:
    """None where the request names two clients, or proves itself twice (RFC 6749 section 2.3) or by a NUL, which the
    database does not take."""
    form, header = received.form, received.authorization
    named = form.get("client_id", "")
    if assertions.is_sent(form):
        claimed = assertions.named_by(form) if header is None and "client_secret" not in form else None
        return Presented(claimed, None, form["client_assertion"]) if claimed is not None else None
    if header is None:
        return Presented(named, form.get("client_secret") or None)
    if "client_secret" in form:
        return None
    scheme, _, encoded = header.partition(" ")
    try:
        name, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # neither base64 nor UTF-8
        return None
    name, secret = unquote(name), unquote(secret)
    if scheme.lower() != "basic" or not colon or (named and named != name) or "\0" in name + secret:
        return None
    return Presented(name, secret)
