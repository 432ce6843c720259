"""Checks an authorization request (RFC 6749 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2.1).

First the app and its redirect address: until both are known to be right, nothing is sent to an address. All later
errors are sent to the app (RFC 6749 section 4.1.2.1).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...domain import strict_json
from ...models.registered_apps import OFFLINE_ACCESS, PUBLIC, SCOPES, RegisteredApp
from . import redirects
from .claims import learned
from .discovery import MODES, PROMPTS
from .dpop import THUMBPRINT

Parameters = Sequence[tuple[str, str]]
REPEATABLE = frozenset({"resource"})  # RFC 8707 section 2
KNOWN = frozenset(
    ("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
     "code_challenge_method", "prompt", "max_age", "acr_values", "claims", "login_hint", "id_token_hint", "ui_locales",
     "resource", "dpop_jkt", "request", "request_uri", "registration")
)  # fmt: skip
"""The parameters that are understood, or refused by name; all others are ignored (RFC 6749 section 3.1)."""
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""The 32 bytes of a SHA-256 in base64url without padding (RFC 7636 section 4.2)."""
LONGEST = 2000
"""Characters of a parameter that is stored."""
NONE, LOGIN, CONSENT, SELECT_ACCOUNT = PROMPTS


class Unanswerable(Exception):
    """A request that cannot be answered to an app. `why` names the rule that refused it, and `client_id` the app, where
    a signed token of the request does."""

    def __init__(self, why: str, client_id: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.client_id = client_id


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where and how an app is answered. `address` was compared with those that are registered."""

    client_id: str
    address: str
    mode: str
    state: str | None
    is_silent: bool
    """The app wants an answer and no page (`prompt=none`)."""
    parameters: Parameters = ()
    """As they were sent."""


class AuthorizationError(Exception):
    """An error for the app. `code` and `description` are those of RFC 6749 section 4.1.2.1 or OpenID Connect Core 1.0
    section 3.1.2.6."""

    def __init__(self, reply: ReplyTo, code: str, description: str) -> None:
        super().__init__(code, description)
        self.reply, self.code, self.description = reply, code, description


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A checked request."""

    app: RegisteredApp
    reply: ReplyTo
    scopes: Sequence[str]
    code_challenge: str | None
    nonce: str | None
    prompts: frozenset[str]
    max_age: int | None
    acr_values: Sequence[str]
    essential_acr: bool
    """One of `acr_values` must hold, by an essential claim."""
    claims: dict[str, Any]
    login_hint: str
    id_token_hint: str | None
    ui_locales: Sequence[str]
    resource: str | None
    dpop_jkt: str | None
    """The thumbprint of the key that must use the code (RFC 9449 section 10)."""

    @property
    def learned(self) -> list[str]:
        """The scopes of all that the app would learn: of claims, only those that it may ask for."""
        return [scope for scope in learned(self.scopes, self.claims) if scope in self.app.scopes]

    @property
    def offline(self) -> bool:
        return OFFLINE_ACCESS in self.scopes


def reply_to(app: RegisteredApp | None, parameters: Parameters) -> tuple[RegisteredApp, ReplyTo]:
    """The app, and where its answer goes. Raises `Unanswerable`."""
    if app is None:
        raise Unanswerable("client_id")
    repeated = _repeated(parameters)
    if repeated & {"client_id", "redirect_uri"}:
        raise Unanswerable("repeated")
    given = dict(parameters)
    address = given.get("redirect_uri", "")
    if not redirects.is_registered(app, address):
        raise Unanswerable("redirect_uri")
    mode = given.get("response_mode") or MODES[0]
    is_possible = mode in MODES and (mode == MODES[0] or redirects.takes_form(address))
    state = None if "state" in repeated else given.get("state")
    is_silent = NONE in given.get("prompt", "").split()
    return app, ReplyTo(app.client_id, address, mode if is_possible else MODES[0], state, is_silent, parameters)


def check(app: RegisteredApp, reply: ReplyTo, parameters: Parameters) -> CheckedRequest:
    """Raises `AuthorizationError`."""
    given = {name: value for name, value in parameters if value}

    def refuse(code: str, description: str) -> AuthorizationError:
        return AuthorizationError(reply, code, description)

    for name in ("request", "request_uri", "registration"):
        if name in given:
            raise refuse(f"{name}_not_supported", f"The parameter {name} is not supported.")
    repeated = _repeated(parameters)
    if repeated:
        names = sorted(name for name in repeated if name.isascii() and name.isidentifier())
        raise refuse("invalid_request", f"A parameter is sent more than once: {' '.join(names)}.")
    if "response_type" not in given:
        raise refuse("invalid_request", "The parameter response_type is missing.")
    if given["response_type"] != "code":
        raise refuse("unsupported_response_type", "Only the response type code is supported.")
    if (given.get("response_mode") or MODES[0]) != reply.mode:
        raise refuse("invalid_request", "This response mode is not supported for this redirect address.")
    if any(len(given.get(name, "")) > LONGEST for name in ("nonce", "claims", "login_hint")):
        raise refuse("invalid_request", "A parameter is too long.")
    prompts = frozenset(given.get("prompt", "").split())
    if not prompts <= set(PROMPTS) or (NONE in prompts and len(prompts) > 1):
        raise refuse("invalid_request", "The parameter prompt is not valid.")
    claims = _claims(given.get("claims"))
    if claims is None:
        raise refuse("invalid_request", "The parameter claims is not valid.")
    age = given.get("max_age")
    if age is not None and not (age.isascii() and age.isdigit() and len(age) < 10):
        raise refuse("invalid_request", "The parameter max_age is not a number of seconds.")
    resources = [value for name, value in parameters if name == "resource" and value]
    if len(resources) > 1 or not set(resources) <= set(app.resources):
        raise refuse("invalid_target", "This resource is not registered for the app.")  # RFC 8707 section 2
    if "dpop_jkt" in given and not THUMBPRINT.fullmatch(given["dpop_jkt"]):
        raise refuse("invalid_request", "The parameter dpop_jkt is not a SHA-256 in base64url.")
    acr, essential = _acr_of(claims)
    if acr is None:
        raise refuse("invalid_request", "The parameter claims is not valid.")
    return CheckedRequest(
        app,
        reply,
        _scopes(app, given.get("scope", ""), refuse),
        _challenge(app, given, refuse),
        given.get("nonce"),
        prompts,
        int(age) if age is not None else None,
        acr or given.get("acr_values", "").split(),
        essential,
        claims,
        given.get("login_hint", ""),
        given.get("id_token_hint"),
        given.get("ui_locales", "").split(),
        resources[0] if resources else None,
        given.get("dpop_jkt"),
    )


def _repeated(parameters: Parameters) -> set[str]:
    counted = Counter(name for name, _ in parameters if name not in REPEATABLE)
    return {name for name, times in counted.items() if times > 1}


def _scopes(app: RegisteredApp, text: str, refuse: Any) -> list[str]:
    """Those that are understood, in their order: others are ignored (OpenID Connect Core 1.0 section 3.1.2.1)."""
    asked = text.split()
    scopes = [scope for scope in SCOPES if scope in asked]
    if not scopes or not set(scopes) <= set(app.scopes):
        raise refuse("invalid_scope", "The app may not ask for these scopes.")
    return scopes


def _challenge(app: RegisteredApp, given: dict[str, str], refuse: Any) -> str | None:
    """The challenge of PKCE. The method must be named, because without a name it is `plain` (RFC 7636 section 4.3)."""
    challenge, method = given.get("code_challenge"), given.get("code_challenge_method")
    if challenge is None and method is None:
        if app.kind == PUBLIC or app.pkce_demanded:
            raise refuse("invalid_request", "The parameter code_challenge is missing: PKCE with S256 is required.")
        return None
    if method != "S256" or challenge is None or not CHALLENGE.fullmatch(challenge):
        raise refuse("invalid_request", "PKCE needs a code_challenge of 43 characters and the method S256.")
    return challenge


def _claims(text: str | None) -> dict[str, Any] | None:
    """The members `id_token` and `userinfo`, which are all that is understood; None for what is not JSON."""
    if text is None:
        return {}
    try:
        claims = strict_json.read(text)
    except ValueError:
        return None
    if not isinstance(claims, dict):
        return None
    known = {name: claims[name] for name in ("id_token", "userinfo") if claims.get(name) is not None}
    if not all(isinstance(member, dict) for member in known.values()):
        return None
    if not all(one is None or isinstance(one, dict) for member in known.values() for one in member.values()):
        return None
    return known


def _acr_of(claims: dict[str, Any]) -> tuple[list[str] | None, bool]:
    """The classes that the claim `acr` of the ID token asks for, None for what is no list of texts, and whether it is
    essential."""
    asked = claims.get("id_token", {}).get("acr") or {}
    values = asked.get("values") or ([asked["value"]] if "value" in asked else [])
    is_list = isinstance(values, list) and all(isinstance(value, str) for value in values)
    return (values if is_list else None), bool(asked.get("essential")) and bool(values)
