"""What an operator decides about an app: every option, how it is tidied, and which kind of app has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from ...domain.app_addresses import (
    guarded_host,
    host_of,
    names_this_machine,
    network,
    redirect_address,
    resource,
    sector,
    server_address,
    web_origin,
)
from ...domain.app_refusals import (
    BackchannelAddressRefused,
    HostMissing,
    KeysAddressRefused,
    KeysMalformed,
    KeysTwice,
    LogoutAddressRefused,
    MaxAgeMalformed,
    NotForKind,
    RedirectAddressMissing,
)
from ...domain.codes import hash_of
from ...domain.labels import tidy_name
from ...domain.path_rules import parse_rule, rule_text
from ...domain.refusals import Refusal
from ...models.registered_apps import ALGORITHMS, GUARDED, PAIRWISE, PASSWORD, PUBLIC, SCOPES, WEB, RegisteredApp
from ...policy import Policy

PUBLIC_MEMBERS = frozenset(
    ("kty", "use", "key_ops", "alg", "kid", "x5u", "x5c", "x5t", "x5t#S256", "n", "e", "crv", "x", "y")
)
"""Of a public JSON Web Key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037). Others, such as d, would be secret."""
KEY_TYPES = ("RSA", "EC", "OKP")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AppOptions:
    """The options, by the names of their columns; `rules` are as text. An option that is not given has its default."""

    name: str
    groups: tuple[str, ...] = ()
    """Only members of these may use the app; without any, everyone with a confirmed email address may."""
    proof: str = PASSWORD
    max_age: int | None = None
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    private_addresses: tuple[str, ...] = ()
    scopes: tuple[str, ...] = SCOPES
    subject_type: str = PAIRWISE
    sector: str = ""
    """Empty for the host of the first redirect address. It is read when the app is made, and never changes."""
    pkce_demanded: bool = True
    signing_algorithm: str = ALGORITHMS[0]
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    dpop_demanded: bool = False
    device_allowed: bool = False
    trusted: bool = False
    origins: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    host: str | None = None
    authorization_allowed: bool = False
    rules: tuple[str, ...] = ()


DEFAULTS = AppOptions("")
EVERY_KIND = frozenset(("name", "groups", "proof", "max_age", "subject_type", "sector"))
OF_CLIENTS = EVERY_KIND | {
    *("redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri", "private_addresses", "scopes"),
    *("signing_algorithm", "dpop_demanded", "device_allowed", "trusted", "resources"),
}
OF_KIND: Mapping[str, frozenset[str]] = {
    WEB: OF_CLIENTS | {"pkce_demanded", "jwks", "jwks_uri"},
    PUBLIC: OF_CLIENTS | {"origins"},
    GUARDED: EVERY_KIND | {"host", "authorization_allowed", "rules"},
}
"""The options of each kind. A public app always proves its code with PKCE, and has no secret and no keys."""


def tidied(kind: str, options: AppOptions, policy: Policy, ours: tuple[str, ...]) -> AppOptions:
    """The options as they are stored. `ours` are the host names of this site.

    Raises `NotForKind`, and the first of what `read` finds.
    """
    for option in fields(AppOptions):
        if option.name not in OF_KIND[kind] and getattr(options, option.name) != getattr(DEFAULTS, option.name):
            raise NotForKind(option.name)
    tidy, problems = read(kind, options, policy, ours)
    if problems:
        raise problems[0]
    return tidy


def read(kind: str, options: AppOptions, policy: Policy, ours: tuple[str, ...]) -> tuple[AppOptions, list[Refusal]]:
    """The options, tidied, and what is wrong with them: refusals of `domain.app_addresses` and `parse_rule`,
    `NameMalformed`, `HostMissing`, `RedirectAddressMissing`, `MaxAgeMalformed`, `KeysMalformed` and `KeysTwice`.

    An option that is refused is as it was given.
    """
    tidy: dict[str, Any] = {}
    problems: list[Refusal] = []
    for name, tidy_option in _tidying(kind, options, policy, ours).items():
        try:
            tidy[name] = tidy_option()
        except Refusal as refusal:
            problems.append(refusal)
    whole = replace(options, **tidy)
    return whole, [*problems, *_incomplete(kind, whole, policy)]


def _tidying(kind: str, options: AppOptions, policy: Policy, ours: tuple[str, ...]) -> dict[str, Callable[[], object]]:
    """What tidies each option that is not stored as it is given."""
    private = kind == PUBLIC
    return {
        "name": lambda: tidy_name(options.name, policy.name_maximum),
        "groups": lambda: tuple(sorted(set(options.groups))),
        "redirect_uris": lambda: _each(
            options.redirect_uris, lambda text: redirect_address(text, private_schemes=private)
        ),
        "post_logout_redirect_uris": lambda: _each(
            options.post_logout_redirect_uris,
            lambda text: redirect_address(text, private_schemes=private, refused=LogoutAddressRefused),
        ),
        "backchannel_logout_uri": lambda: _unless_empty(
            options.backchannel_logout_uri, lambda text: server_address(text, BackchannelAddressRefused)
        ),
        "private_addresses": lambda: _each(options.private_addresses, network),
        "scopes": lambda: tuple(scope for scope in SCOPES if scope in {"openid", *options.scopes}),
        "sector": lambda: _unless_empty(options.sector, sector) or "",
        "jwks_uri": lambda: _unless_empty(options.jwks_uri, lambda text: server_address(text, KeysAddressRefused)),
        "origins": lambda: _each(options.origins, web_origin),
        "resources": lambda: _each(options.resources, resource),
        "host": lambda: _unless_empty(options.host, lambda text: guarded_host(text, ours)),
        "rules": lambda: _rules(options.rules),
    }


def first_sector(options: AppOptions, client_id: str) -> str:
    """The host by which pairwise subjects are made (OpenID Connect Core 1.0 section 8.1), for tidied options.

    The one that was given, else that of the first redirect address or the guarded host; an app that only has addresses
    of its own device is a sector by itself.
    """
    of_web = [host for host in map(host_of, options.redirect_uris) if host is not None and not names_this_machine(host)]
    hosts = [options.sector, (options.host or "").partition(":")[0], *of_web]
    return next(filter(None, hosts), client_id)


def columns_of(options: AppOptions) -> dict[str, Any]:
    """The columns of `RegisteredApp` that an operator may change, for tidied options."""
    named = {option.name: getattr(options, option.name) for option in fields(AppOptions)}
    listed = {name: list(value) for name, value in named.items() if isinstance(value, tuple)}
    rules = [parse_rule(text) for text in options.rules]
    values = {**named, **listed, "rules": rules, "limited": bool(options.groups)}
    return {name: value for name, value in values.items() if name not in ("groups", "sector")}


def options_of(app: RegisteredApp, groups: tuple[str, ...]) -> AppOptions:
    """The options of a stored app that is open to these groups."""
    values = {option.name: getattr(app, option.name) for option in fields(AppOptions) if option.name != "groups"}
    listed = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return AppOptions(**{**values, **listed, "rules": tuple(map(rule_text, app.rules)), "groups": groups})


def fingerprint(options: AppOptions) -> str:
    """The SHA-256, in hexadecimal digits, by which a page tells whether the options are those that it showed."""
    return hash_of(json.dumps(asdict(options), sort_keys=True))


def _incomplete(kind: str, options: AppOptions, policy: Policy) -> Iterator[Refusal]:
    if kind == GUARDED and options.host is None:
        yield HostMissing()
    if kind != GUARDED and not options.redirect_uris and not options.device_allowed:
        yield RedirectAddressMissing()
    if options.max_age is not None and not 0 <= options.max_age <= policy.kept_session_total:
        yield MaxAgeMalformed()
    if options.jwks is not None and options.jwks_uri is not None:
        yield KeysTwice()
    if options.jwks is not None and not _are_public_keys(options.jwks):
        yield KeysMalformed()


def _are_public_keys(jwks: Any) -> bool:
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    return isinstance(keys, list) and bool(keys) and all(_is_public_key(key) for key in keys)


def _is_public_key(key: Any) -> bool:
    return isinstance(key, dict) and key.get("kty") in KEY_TYPES and set(key) <= PUBLIC_MEMBERS


def _each(texts: tuple[str, ...], tidy: Callable[[str], str]) -> tuple[str, ...]:
    """Every text that is not empty, tidied; of equal ones the first."""
    return tuple(dict.fromkeys(tidy(text) for text in texts if text.strip()))


def _rules(texts: tuple[str, ...]) -> tuple[str, ...]:
    """As `_each`, and a refusal tells the line."""
    lines = [(line, text) for line, text in enumerate(texts, 1) if text.strip()]
    return tuple(dict.fromkeys(rule_text(parse_rule(text, line)) for line, text in lines))


def _unless_empty(text: str | None, tidy: Callable[[str], T]) -> T | None:
    return tidy(text) if text and text.strip() else None
