"""Requests spelled so that a rule by path would not see them, as advisories of other products describe them."""

from __future__ import annotations

import pytest

from webapp.domain.path_rules import action_for, parse_rule

RULES = [parse_rule(text) for text in ("public /static", "public GET /health", "deny /metrics", "key /admin")]


def ask(target: str, method: str = "GET") -> str:
    return action_for(RULES, "password", method, target)


@pytest.mark.parametrize("query", ["?/static", "?x=/static/", "?/../static", "??/static", "?%2fstatic", "?#/static"])
def test_oauth2_proxy_cve_2025_54576_a_public_path_in_the_query_opens_nothing(query: str) -> None:
    assert [ask(path + query) for path in ("/private", "/admin/users", "/metrics")] == ["password", "key", "deny"]
    assert ask("/static/site.css" + query) == "public"


def test_oauth2_proxy_a_public_path_as_part_of_another_opens_nothing() -> None:
    assert {ask(path) for path in ("/private/static", "/staticx", "/static.html", "/x/static/", "/healthy")} == {
        "password"
    }


@pytest.mark.parametrize("path", ["/static#/../admin", "/static/%23/../../admin", "/health#/private"])
def test_oauth2_proxy_a_fragment_does_not_end_the_path(path: str) -> None:
    assert ask(path) == "key"


def test_oauth2_proxy_a_public_method_opens_no_other() -> None:
    assert [ask("/health", method) for method in ("GET", "HEAD", "POST", "get", "GETX", "")] == [
        *("public", "public", "password", "password", "password", "password")
    ]


@pytest.mark.parametrize(
    "escape", ["%2f", "%2F", "%5c", "%5C", "%2e%2e", "%252e%252e%252f", "%3b", "%00", "%61", "\\", ";"]
)
def test_void_auth_an_escape_or_separator_under_a_public_path_opens_nothing(escape: str) -> None:
    assert ask(f"/static/{escape}") == ask(f"/static/x{escape}../admin") == ask(f"/static/..{escape}admin") == "key"


@pytest.mark.parametrize(
    "path", ["/%6detrics", "/metrics%2f", "/metrics;v=1", "/;/metrics", "/static/..%2fmetrics", "//metrics"]
)
def test_void_auth_a_denied_path_stays_denied_in_every_spelling(path: str) -> None:
    assert ask(path) == "deny"


@pytest.mark.parametrize(
    "path", ["/static/%", "/static/%zz", "/static/%1", "/static/%u0061", "/static/%C3%28", "/%zz/static"]
)
def test_void_auth_a_path_that_cannot_be_decoded_gets_the_strictest_proof(path: str) -> None:
    assert ask(path) == "key"


@pytest.mark.parametrize(
    "target", ["", "static", "?/static", "*", "http://app.example.org/static", "/static x", "/static\r\n"]
)
def test_authelia_cve_2021_32637_a_malformed_request_target_gets_the_strictest_proof(target: str) -> None:
    assert ask(target) == "key"


def test_authelia_another_case_does_not_pass_a_stricter_rule() -> None:
    assert [ask(path) for path in ("/ADMIN", "/Admin/users", "/METRICS", "/Static")] == [
        "key",
        "key",
        "deny",
        "password",
    ]


@pytest.mark.parametrize("path", ["/static/../admin", "/static/./../x", "/static//x", "//static", "/static/.."])
def test_authelia_dot_segments_and_doubled_slashes_open_nothing(path: str) -> None:
    assert ask(path) == "key"
