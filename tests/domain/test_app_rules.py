"""Every refusal of apps' requests has a rule that `flask why` can explain."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.test_architecture import WEBAPP, name, tree
from webapp.domain.app_rules import OTHER, RULES, rule_for

AUTHLIB = (
    *("rfc6749.authenticate_client", "rfc6749.grants.authorization_code", "rfc6749.grants.refresh_token"),
    *("rfc7636.challenge", "rfc7009.revocation", "rfc7662.introspection", "rfc6749.authorization_server"),
    *("rfc8628.device_code", "rfc8628.endpoint"),
)
"""The modules of Authlib that judge requests here."""
FOLDERS = [WEBAPP / "services" / "openid", WEBAPP / "services" / "guarded", WEBAPP / "web"]
NOT_SUPPORTED = {f"{name}_not_supported" for name in ("request", "request_uri", "registration")}


def beginning(node: ast.expr | None) -> str | None:
    """A string, or the part of an f-string before its first value."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text
        case ast.JoinedStr():
            return ""
    return None


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=called) | ast.Attribute(attr=called):
                    yield called, node


def refusals(path: Path) -> Iterator[tuple[int, str, str]]:
    """The line, error and description of each refusal that is written in this module."""
    for called, node in calls(path):
        texts = [beginning(one) for one in node.args]
        if called in ("AuthorizationError", "_refuse_token") and len(texts) >= 3 and texts[1] is not None:
            yield node.lineno, texts[1], texts[2] or ""
        elif called == "refuse" and texts and texts[0] is not None:
            for error in NOT_SUPPORTED if texts[0] == "" else {texts[0]}:
                yield node.lineno, error, texts[1] or ""
        elif called == "InvalidDpopProof":
            yield node.lineno, "invalid_dpop_proof", texts[0] or ""
        elif called == "InvalidTarget":
            yield node.lineno, "invalid_target", texts[0] or ""
        elif called.endswith("Error") and called.startswith(("Invalid", "Unsupported", "Unauthorized", "AccessDenied")):
            kind = getattr(import_module("authlib.oauth2.rfc6749"), called, None)
            if kind is not None and texts:
                yield node.lineno, kind.error, texts[0] or ""


def test_every_refusal_of_ours_has_a_rule() -> None:
    found = [(path, one) for folder in FOLDERS for path in sorted(folder.rglob("*.py")) for one in refusals(path)]
    assert len(found) > 30
    missing = [
        f"{name(path)}:{line} {error}: {said}" for path, (line, error, said) in found if rule_for(error, said) == OTHER
    ]
    assert not missing


@pytest.mark.parametrize("called", ["Unanswerable", "note"])
def test_every_rule_that_is_named_is_in_the_list(called: str) -> None:
    """Of pages that lead to no app, and of `services.refusals.note`."""
    named = {
        (name(path), rule)
        for folder in FOLDERS
        for path in sorted(folder.rglob("*.py"))
        for function, node in calls(path)
        if function == called and node.args and (rule := beginning(node.args[0])) is not None
        if called == "Unanswerable" or "asked" in {k.arg for k in node.keywords} or len(node.args) == 3
    }
    assert named
    assert not {(path, rule) for path, rule in named if rule not in RULES}


@pytest.mark.parametrize("module", AUTHLIB)
def test_every_refusal_of_authlib_has_a_rule(module: str) -> None:
    found = import_module(f"authlib.oauth2.{module}")
    assert found.__file__
    for node in ast.walk(ast.parse(Path(found.__file__).read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error")):
            continue
        kind = getattr(found, node.func.id, None)
        if kind is None or not getattr(kind, "error", None):
            continue  # of Python
        if node.func.id == "UnsupportedTokenTypeError":
            continue  # no hint reaches Authlib
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        said = beginning(named.get("description") or (node.args[0] if node.args else None)) or ""
        assert rule_for(kind.error, said) != OTHER, (node.lineno, kind.error, said)


def test_each_rule_is_whole_and_each_answer_leads_to_one() -> None:
    for rule in RULES.values():
        assert rule.demands.endswith(".")
        assert rule.right.endswith(".")
        assert rule.source
    said = [words for rule in RULES.values() for words in rule.said]
    errors = [error for rule in RULES.values() for error in rule.errors]
    assert len(said) == len(set(said))
    assert len(errors) == len(set(errors))
    assert rule_for("invalid_grant", "The code has expired or was used before.") == "code-used"
    assert rule_for("invalid_grant", "") == "token-unknown"
    assert rule_for("something_else", "new") == OTHER
