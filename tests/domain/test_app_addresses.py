"""Addresses of apps: what is stored, and what is refused and why."""

from __future__ import annotations

import pytest

from webapp.domain import app_addresses as addresses
from webapp.domain import app_refusals as refusals
from webapp.domain.path_rules import parse_rule, rule_text

GOOD = (
    "https://wiki.example.org/callback",
    "https://wiki.example.org",
    "https://wiki.example.org:8443/callback?tenant=1",
    "https://wiki.example.org/a%20b",
    "https://wiki.example.org/!~",
    "https://wiki.example.org/".ljust(2000, "a"),
    "http://127.0.0.1/callback",
    "http://127.0.0.1:7777/callback",
    "http://[::1]:7777/callback",
    "http://localhost:3000/callback",
    "http://wiki.localhost:3000/callback",
)
BAD = (
    ("", refusals.MALFORMED),
    ("wiki.example.org/callback", refusals.MALFORMED),
    ("/callback", refusals.MALFORMED),
    ("https:///callback", refusals.MALFORMED),
    ("https://wiki_1.example.org/", refusals.MALFORMED),
    ("https://wiki.example.org:port/", refusals.MALFORMED),
    ("https://wiki.example.org:99999/", refusals.MALFORMED),
    ("https://[::1/", refusals.MALFORMED),
    ("https://wiki.example.org/a b", refusals.MALFORMED),
    ("https://wiki.example.org/\n", ""),
    ("https://wiki.example.org/\\evil", refusals.MALFORMED),
    ("https://wiki.example.org/ä", refusals.MALFORMED),
    ("HTTPS://wiki.example.org/", refusals.MALFORMED),
    ("https://wiki.example.org/".ljust(2001, "a"), refusals.MALFORMED),
    ("https://wiki.example.org/\x7f", refusals.MALFORMED),
    ("https://*.example.org/callback", refusals.WILDCARD),
    ("https://wiki.example.org/*", refusals.WILDCARD),
    ("https://wiki.example.org/callback#", refusals.FRAGMENT),
    ("https://wiki.example.org/callback#top", refusals.FRAGMENT),
    ("http://wiki.example.org/callback", refusals.NOT_HTTPS),
    ("http://127.0.0.1.example.org/", refusals.NOT_HTTPS),
    ("http://localhost.example.org/", refusals.NOT_HTTPS),
    ("http://192.0.2.1/", refusals.NOT_HTTPS),
    ("https://user@wiki.example.org/", refusals.CREDENTIALS),
    ("https://user:secret@wiki.example.org/", refusals.CREDENTIALS),
    ("https://wiki.example.org@evil.example/", refusals.CREDENTIALS),
)


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("text", GOOD)
def test_a_complete_web_address_is_stored_as_it_was_entered(text: str, private: bool) -> None:
    assert addresses.redirect_address(f" {text} ", private_schemes=private) == text


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(("text", "why"), BAD)
def test_any_other_address_is_refused_with_the_reason(text: str, why: str, private: bool) -> None:
    if not why:  # surrounding space is no part of it
        assert addresses.redirect_address(text, private_schemes=private) == text.strip()
        return
    with pytest.raises(refusals.RedirectAddressRefused) as refused:
        addresses.redirect_address(text, private_schemes=private)
    assert refused.value.why == why


@pytest.mark.parametrize("text", ["com.example.app:/callback", "com.example.app://callback", "org.example:x"])
def test_an_installed_app_may_have_a_scheme_with_a_dot(text: str) -> None:
    assert addresses.redirect_address(text, private_schemes=True) == text
    with pytest.raises(refusals.RedirectAddressRefused) as refused:
        addresses.redirect_address(text, private_schemes=False)
    assert refused.value.why == refusals.NOT_HTTPS


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("myapp:/callback", refusals.SCHEME),
        ("javascript:alert(1)", refusals.SCHEME),
        ("data:text/html,x", refusals.SCHEME),
        ("com.example.app:", refusals.MALFORMED),
    ],
)
def test_a_scheme_without_a_dot_is_refused_for_installed_apps_too(text: str, why: str) -> None:
    with pytest.raises(refusals.RedirectAddressRefused) as refused:
        addresses.redirect_address(text, private_schemes=True)
    assert refused.value.why == why


def test_an_address_that_the_site_calls_is_a_web_address() -> None:
    kind = refusals.BackchannelAddressRefused
    assert addresses.server_address("https://wiki.example.org/out", kind) == "https://wiki.example.org/out"
    with pytest.raises(kind):
        addresses.server_address("com.example.app:/out", kind)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("https://Spa.example.org/", "https://spa.example.org"),
        ("https://spa.example.org:443", "https://spa.example.org"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_origin_is_stored_as_browsers_write_it(text: str, stored: str) -> None:
    assert addresses.web_origin(text) == stored


@pytest.mark.parametrize("text", ["https://spa.example.org/app", "https://spa.example.org?x", "null", "*"])
def test_an_origin_has_no_path(text: str) -> None:
    with pytest.raises(refusals.OriginRefused):
        addresses.web_origin(text)


def test_a_resource_is_an_absolute_address_without_fragment() -> None:
    for text in ("https://api.example.org/v1", "urn:example:api"):
        assert addresses.resource(text) == text
    for text in ("/v1", "https://api.example.org/#x", "http://api.example.org/", "urn:"):
        with pytest.raises(refusals.ResourceRefused):
            addresses.resource(text)


def test_a_network_is_in_cidr_notation() -> None:
    assert [addresses.network(text) for text in (" 10.0.0.0/8", "fd00::/8", "10.1.2.3")] == [
        *("10.0.0.0/8", "fd00::/8", "10.1.2.3/32"),
    ]
    for text in ("10.0.0.1/8", "private", ""):
        with pytest.raises(refusals.NetworkMalformed):
            addresses.network(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Wiki.Example.org", "wiki.example.org"),
        ("wiki.example.org:443", "wiki.example.org"),
        ("wiki.example.org:8443", "wiki.example.org:8443"),
        ("wiki.example.org:80", "wiki.example.org:80"),
        ("wiki.example.org:1", "wiki.example.org:1"),
        ("wiki.example.org:65535", "wiki.example.org:65535"),
        ("wiki.localhost:80", "wiki.localhost"),
        ("WIKI.localhost:05001", "wiki.localhost:5001"),
        ("münchen.example", "xn--mnchen-3ya.example"),
    ],
)
def test_a_host_is_stored_in_one_form(text: str, stored: str) -> None:
    assert addresses.guarded_host(f" {text} ", ("nightlatch.example",)) == stored


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", refusals.MALFORMED),
        ("https://wiki.example.org", refusals.MALFORMED),
        ("wiki.example.org/", refusals.MALFORMED),
        ("wiki_1.example.org", refusals.MALFORMED),
        ("*.example.org", refusals.MALFORMED),
        ("wiki.example.org:", refusals.MALFORMED),
        ("wiki.example.org:0", refusals.MALFORMED),
        ("wiki.example.org:65536", refusals.MALFORMED),
        ("wiki.example.org:١", refusals.MALFORMED),
        ("\u0378.example", refusals.MALFORMED),
        ("Nightlatch.example", refusals.OURS),
        ("nightlatch.example:8443", refusals.OURS),
    ],
)
def test_a_host_that_is_not_complete_or_is_ours_is_refused(text: str, why: str) -> None:
    with pytest.raises(refusals.HostRefused) as refused:
        addresses.guarded_host(text, ("nightlatch.example",))
    assert refused.value.why == why


def test_a_sector_is_a_host_name() -> None:
    assert addresses.sector(" Example.org ") == "example.org"
    with pytest.raises(refusals.SectorRefused):
        addresses.sector("https://example.org")


def test_the_host_of_an_address_is_that_of_a_web_address() -> None:
    assert addresses.host_of("https://wiki.example.org:8443/callback") == "wiki.example.org"
    assert addresses.host_of("com.example.app://callback") is None


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("public /assets", {"action": "public", "methods": [], "prefix": "/assets"}),
        (" key  GET,POST   /admin/ ", {"action": "key", "methods": ["GET", "POST"], "prefix": "/admin/"}),
        ("deny /", {"action": "deny", "methods": [], "prefix": "/"}),
        ("two-factor M-SEARCH /a/b.c", {"action": "two-factor", "methods": ["M-SEARCH"], "prefix": "/a/b.c"}),
    ],
)
def test_a_rule_is_read_and_written(text: str, stored: dict[str, object]) -> None:
    assert parse_rule(text) == stored
    assert rule_text(stored) == " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        *("", "public", "allow /", "public admin", "public GET POST /", "public get /", "public GET, /"),
        *("public //", "public /a//b", "public /a;b", "public /%61", "public /../a", "public /a/.", "public /a\\b"),
        *("public /a?b", "public /ä", "public /a/*"),
    ],
)
def test_any_other_rule_is_refused(text: str) -> None:
    with pytest.raises(refusals.RuleMalformed):
        parse_rule(text)
