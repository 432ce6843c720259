"""Rules by path: which rule decides, and that no spelling of a path gets less than the path itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.domain.app_refusals import RuleMalformed
from webapp.domain.path_rules import ACTIONS, action_for, is_canonical, matching_rule, parse_rule, rule_text

SITE = [
    parse_rule(text)
    for text in ("public /assets", "public GET /api/status", "key /admin", "deny /internal", "two-factor POST,PUT /api")
]


def ask(target: str, method: str = "GET", rules: list[dict[str, Any]] = SITE, default: str = "password") -> str:
    return action_for(rules, default, method, target)


@pytest.mark.parametrize(
    ("method", "target", "action"),
    [
        ("GET", "/", "password"),
        ("GET", "/assets", "public"),
        ("GET", "/assets/", "public"),
        ("GET", "/assets/site.css", "public"),
        ("GET", "/assets?v=2", "public"),
        ("GET", "/assetsecrets", "password"),
        ("GET", "/assets.css", "password"),
        ("GET", "/api/status", "public"),
        ("HEAD", "/api/status", "public"),
        ("POST", "/api/status", "two-factor"),
        ("PUT", "/api/", "two-factor"),
        ("GET", "/api", "password"),
        ("get", "/api/status", "password"),
        ("post", "/api", "two-factor"),
        ("GET", "/admin", "key"),
        ("GET", "/ADMIN/users", "key"),
        ("GET", "/Assets/site.css", "password"),
        ("GET", "/Internal", "deny"),
        ("GET", "/assets/%C3%A9t%C3%A9.css", "public"),
        ("GET", "/assets/\u00c3\u00a9", "public"),
        ("GET", "/assets/.well-known/...", "public"),
        ("GET", "/assets/a|b", "public"),
    ],
)
def test_the_first_rule_that_matches_decides(method: str, target: str, action: str) -> None:
    assert ask(target, method) == action


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "assets",
            "*",
            "https://app.example.org/assets",
            "/assets/%2e",
            "/assets/%2F",
            "/assets/%5c",
            "/%61ssets",
        ),
        *(
            "/assets/%25",
            "/assets/%20",
            "/assets/%7F",
            "/assets/%",
            "/assets/%z",
            "/assets/%zz",
            "/assets/%8",
            "/assets;",
        ),
        *(
            "/assets;v=1/",
            "//assets",
            "/assets//",
            "/./assets",
            "/assets/.",
            "/assets/..",
            "/x/../assets",
            "/assets\\x",
        ),
        *("/assets/\t", "/assets/\x00", "/assets/\x7f", "/assets/ x", "/assets#x", "/assets/%FF", "/assets/%C0%AE"),
        *("/assets/\u00ff", "/assets/%ED%A0%80", "/assets/%C2%80", "/assets/\u20ac", "/assets/\n", "/assets/%C3"),
    ],
)
def test_a_path_that_is_not_canonical_gets_the_strictest_proof(path: str) -> None:
    assert not is_canonical(path)
    assert ask(path) == "key"
    assert ask(path, rules=SITE[:1]) == "password"
    assert ask(path, rules=SITE[:1], default="two-factor") == "two-factor"


@pytest.mark.parametrize(
    "path",
    [
        *("/%69nternal", "/%2569nternal", "//internal", "/./internal", "/assets/../internal", "/assets/..;/internal"),
        *("/assets/%2e%2e/internal", "/assets/..%2finternal", "/assets/..%5cINTERNAL", "\\internal", "/internal;x=1"),
        *(
            "/internal%00.css",
            "/internal%23",
            "/internal%3fx",
            "/int\ternal",
            "internal",
            "https://h/internal",
            "/internal/%zz",
        ),
        *(
            "/assets/%c0%ae%c0%ae%c0%afinternal",
            "/internal/..%2fx/../%69",
            "/../internal",
            "/assets/x/../../internal/.",
        ),
    ],
)
def test_no_spelling_opens_a_denied_path(path: str) -> None:
    assert ask(path) == "deny"


def test_two_dots_take_back_one_folder_and_no_more() -> None:
    rules = [parse_rule("deny /files/private"), parse_rule("public /files")]
    assert ask("/files/x/../private", rules=rules) == "deny"


def test_a_path_with_very_many_readings_is_denied_where_something_is() -> None:
    path = "/x" + "%2525252525253b" * 20 + "%25252525255c..%252525252f//%0025\t\\;%3f%23"
    assert ask(path) == "deny"
    assert ask(path, rules=SITE[:3]) == "key"
    assert ask(path, "GET", [parse_rule("deny POST /x")]) == "password"


def test_of_two_rules_for_one_path_the_earlier_decides_and_case_only_makes_it_stricter() -> None:
    rules = [parse_rule(text) for text in ("public /Docs", "key /docs/Secret", "password /", "two-factor HEAD /feed/")]
    assert ask("/Docs/x", rules=rules) == "public"
    assert ask("/docs/x", rules=rules) == "password"
    assert ask("/docs/Secret", rules=rules) == "key"
    assert ask("/Docs/secret/x", rules=rules) == "key"
    assert ask("/doc%C5%BF/\u00c5\u00bfecret", rules=rules) == "key"  # a long s is an s without regard to case
    assert ask("/feed", rules=rules) == "two-factor"
    assert ask("/feed", "POST", rules=rules) == "password"


def test_the_rule_that_decides_is_told() -> None:
    found = matching_rule(SITE, "POST", "/API?x", "password")
    assert found is not None
    assert rule_text(found) == "two-factor POST,PUT /api"
    assert matching_rule(SITE, "GET", "/") is None
    assert matching_rule(SITE, "GET", "/%61dmin") is None
    assert matching_rule([], "GET", "/%61dmin") is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "public", "/x", "open /x", "public GET POST /x", "public x", "public get /x", "public GET,post /x"),
        *("public GET /a b", "public /a//b", "public /a;b", "public /a%20b", "public /a/../b", "public /.", "deny GET"),
    ],
)
def test_a_rule_that_is_malformed_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(RuleMalformed) as refused:
        parse_rule(f" {text} ")
    assert (refused.value.rule, refused.value.line) == (text, 1)


@pytest.mark.parametrize("prefix", ["/application/configuration/settings*", f"/{'a' * 60_000}*", f"{'/a' * 30_000}*"])
def test_a_rule_that_is_malformed_is_refused_at_once(prefix: str) -> None:
    began = time.thread_time()
    with pytest.raises(RuleMalformed):
        parse_rule(f"public {prefix}")
    assert time.thread_time() - began < 1


@pytest.mark.parametrize("text", ["public /", "deny GET,VERSION-CONTROL /a/", "key /a.b/..c/~d", "two-factor POST /a"])
def test_a_rule_is_written_as_it_is_read(text: str) -> None:
    assert rule_text(parse_rule(text)) == text


def test_a_path_that_is_not_canonical_is_denied_to_a_method_in_small_letters_too() -> None:
    rules = [parse_rule("deny POST /x")]
    assert ask("/%78", "post", rules) == "deny"
    assert ask("/%78", "get", rules) == "password"


def test_a_rule_that_is_as_strict_is_not_taken_in_place_of_the_one_that_matches_as_written() -> None:
    rules = [parse_rule("key /Docs"), parse_rule("key /docs/x")]
    assert matching_rule(rules, "GET", "/docs/x") == rules[1]
    assert matching_rule([parse_rule("password /Docs")], "GET", "/docs") is not None, "by default all is public"


SEGMENTS = st.sampled_from(["a", "b", "admin", "x.y", "assets"])
PATHS = st.lists(SEGMENTS, max_size=3).map(lambda segments: "/" + "/".join(segments))
RULES = st.lists(
    st.builds(
        lambda action, methods, prefix: {"action": action, "methods": methods, "prefix": prefix},
        st.sampled_from(ACTIONS),
        st.lists(st.sampled_from(["GET", "POST", "HEAD"]), max_size=2),
        PATHS,
    ),
    max_size=4,
)
SPELL: dict[str, Callable[[str, int], str]] = {
    "case": lambda path, at: path[:at] + path[at:].swapcase(),
    "escape": lambda path, at: path[:at] + "".join(f"%{ord(c):02x}" for c in path[at : at + 1]) + path[at + 1 :],
    "escape again": lambda path, _at: path.replace("%", "%25"),
    "quote": lambda path, at: path[:at] + quote(path[at:], safe="/"),
    "slash": lambda path, at: path.replace("/", "//", at),
    "backslash": lambda path, at: "/" + path[1:].replace("/", "\\", at),
    "dot": lambda path, at: path.replace("/", "/./", at),
    "up": lambda path, at: path.replace("/", "/x/../", at),
    "parameter": lambda path, at: path[:1] + path[1:].replace("/", ";v=1/", at),
    "query": lambda path, _at: f"{path}?a=/assets",
}


@given(
    rules=RULES,
    default=st.sampled_from(ACTIONS[1:4]),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    path=PATHS,
    changes=st.lists(st.tuples(st.sampled_from(sorted(SPELL)), st.integers(0, 20)), max_size=4),
)
@example([parse_rule("deny /admin")], "password", "GET", "/admin", [("escape", 2), ("escape again", 0), ("case", 1)])
def test_no_spelling_of_a_path_gets_a_weaker_action(
    rules: list[dict[str, Any]], default: str, method: str, path: str, changes: list[tuple[str, int]]
) -> None:
    spelled = path
    for name, at in changes:
        if name != "case" or "%" not in spelled:
            spelled = SPELL[name](spelled, at) if "?" not in spelled else spelled
    assert ACTIONS.index(ask(spelled, method, rules, default)) >= ACTIONS.index(ask(path, method, rules, default))


@given(path=st.text(st.characters(max_codepoint=255), max_size=20).map(lambda text: f"/{text}"))
def test_a_canonical_path_means_only_itself(path: str) -> None:
    if is_canonical(path):
        decoded = unquote_to_bytes(path.partition("?")[0].encode("latin-1"))
        assert not {b".", b".."} & {*decoded.split(b"/")}
        assert b"//" not in decoded
        assert is_canonical(quote(decoded, safe="/!$&'()+,=:@*|^`{}\"<>[]~"))
