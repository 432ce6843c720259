"""The same requests to Nightlatch and to oidc-provider, a certified provider, and their answers compared.

Every difference is mended here, or its case says the reason.
"""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from lxml.html import fromstring

from tests.conftest import Site
from tests.people import Owner
from tests.relying_party import BACK, VERIFIER, RelyingParty, answer_of, challenge_of, target_of, unsigned

NODE = Path(__file__).parent / "node"
SECRET = "a-secret-of-a-test-of-43-characters-0123456"
BYE = "https://app.example/bye"
Outcome = tuple[str, ...]
"""To whom an answer goes, the status where it is a program or a page, and the error."""


@dataclass(frozen=True)
class Case:
    """A request that differs by `changes` from one that is right; None leaves a parameter out."""

    name: str
    changes: dict[str, str | None] = field(default_factory=dict)
    reason: str = ""
    """Why our answer differs; empty where it must not."""


AUTHORIZE = [
    Case("right"),
    Case("no response type", {"response_type": None}),
    Case("an unknown response type", {"response_type": "words"}),
    Case("an implicit response type", {"response_type": "token"}),
    Case(
        "a hybrid response type",
        {"response_type": "code id_token"},
        "a known type that no app may use is unsupported (RFC 6749 section 4.1.2.1)",
    ),
    Case("no client", {"client_id": None}),
    Case("an unknown client", {"client_id": "nobody"}),
    Case(
        "no address",
        {"redirect_uri": None},
        "it is required, even where only one is registered (OpenID Connect Core 3.1.2.1)",
    ),
    Case("another address", {"redirect_uri": "https://other.example/back"}),
    Case("an address with a query added", {"redirect_uri": f"{BACK}?x=y"}),
    Case("an address with a path added", {"redirect_uri": f"{BACK}/x"}),
    Case("no scope", {"scope": None}, "a missing scope is an invalid scope (RFC 6749 section 3.3)"),
    Case("an unknown scope beside openid", {"scope": "openid words"}),
    Case("no state", {"state": None}),
    Case("no challenge", {"code_challenge": None, "code_challenge_method": None}),
    Case("a plain challenge", {"code_challenge_method": "plain"}),
    Case("a challenge without its method", {"code_challenge_method": None}),
    Case("a short challenge", {"code_challenge": "short"}),
    Case("an unknown prompt", {"prompt": "words"}),
    Case("prompt none and login", {"prompt": "none login"}),
    Case("prompt none", {"prompt": "none"}),
    Case("a max_age that is no number", {"max_age": "soon"}),
    Case("a negative max_age", {"max_age": "-1"}),
    Case("claims that are no JSON", {"claims": "{"}),
    Case("claims that are a list", {"claims": "[]"}),
    Case("an unsigned request object", {"request": unsigned({})}),
    Case("a request object by address", {"request_uri": "https://app.example/request"}),
    Case("an inline registration", {"registration": "{}"}),
    Case("an unknown response mode", {"response_mode": "words"}, "RFC 6749 section 4.1.2.1 has no code for a mode"),
    Case(
        "the response mode fragment",
        {"response_mode": "fragment"},
        "only query and form_post are supported, as discovery says",
    ),
    Case("an unknown parameter", {"extra": "foobar"}),
    Case("a hint that is no token", {"id_token_hint": "words"}),
]
TOKEN = [
    Case("right"),
    Case("no grant type", {"grant_type": None}),
    Case("an unknown grant type", {"grant_type": "words"}),
    Case("the password grant", {"grant_type": "password", "username": "ada", "password": "x"}),
    Case("no code", {"code": None}),
    Case("an unknown code", {"code": "words"}),
    Case(
        "no address",
        {"redirect_uri": None},
        "the address was in the request, so it must come again (RFC 6749 section 4.1.3)",
    ),
    Case("another address", {"redirect_uri": "https://other.example/back"}),
    Case("no verifier", {"code_verifier": None}, "a missing parameter is an invalid request (RFC 6749 section 5.2)"),
    Case("a wrong verifier", {"code_verifier": "w" * 43}),
    Case("a short verifier", {"code_verifier": "short"}),
    Case("a used code", {"again": "yes"}),
    Case("the code of another client", {"as": "other"}),
    Case("a wrong secret", {"secret": "wrong"}),
    Case("no proof", {"secret": None}),
    Case("an unknown client", {"client": "nobody"}),
]
OTHER = [
    Case("refresh without a token", {"to": "token", "grant_type": "refresh_token"}),
    Case("refresh with an unknown token", {"to": "token", "grant_type": "refresh_token", "refresh_token": "words"}),
    Case("refresh with more scopes", {"to": "token", "grant_type": "refresh_token", "refresh_token": "{refresh_token}",
                                      "scope": "openid email phone"}),
    Case("refresh with fewer scopes", {"to": "token", "grant_type": "refresh_token",
                                       "refresh_token": "{refresh_token}", "scope": "openid"}),
    Case("refresh with an access token", {"to": "token", "grant_type": "refresh_token",
                                          "refresh_token": "{access_token}"}),
    Case("userinfo without a token", {"to": "userinfo"}),
    Case("userinfo with an unknown token", {"to": "userinfo", "bearer": "words"}),
    Case("userinfo with an ID token", {"to": "userinfo", "bearer": "{id_token}"}),
    Case("userinfo with a refresh token", {"to": "userinfo", "bearer": "{refresh_token}"}),
    Case("userinfo", {"to": "userinfo", "bearer": "{access_token}"}),
    Case("revoke without a token", {"to": "revoke"}),
    Case("revoke an unknown token", {"to": "revoke", "token": "words"}),
    Case("revoke a token of another app", {"to": "revoke", "token": "{refresh_token}", "as": "other"},
         "it is not told that the token exists; nothing is revoked"),
    Case("revoke with a wrong secret", {"to": "revoke", "token": "{refresh_token}", "secret": "wrong"}),
    Case("introspect without a token", {"to": "introspect"}),
    Case("introspect an unknown token", {"to": "introspect", "token": "words"}),
    Case("introspect", {"to": "introspect", "token": "{access_token}"}),
    Case("introspect a token of another app", {"to": "introspect", "token": "{refresh_token}", "as": "other"},
         "an app learns of its own tokens only (RFC 7662 section 4)"),
]  # fmt: skip
IDS = {"ids": lambda case: case.name}


def asked(base: dict[str, str], case: Case) -> dict[str, str]:
    return {name: value for name, value in {**base, **case.changes}.items() if value is not None}


def of_query(address: str) -> Outcome:
    given = dict(parse_qsl(urlsplit(address).query or urlsplit(address).fragment))
    return "app", given.get("error", "a code" if "code" in given else "nothing")


def of_program(status: int, text: str) -> Outcome:
    try:
        told = json.loads(text or "{}")
    except ValueError:
        told = {}
    return "program", str(status), str(told.get("error", "active" if told.get("active") else ""))


class Ours:
    def __init__(self, site: Site) -> None:
        self.ada = Owner(site)
        self.ada.sign_up()
        self.apps = {name: RelyingParty(site, name=name, trusted=True) for name in ("wiki", "other")}
        self.ids = {name: app.client_id for name, app in self.apps.items()}
        self.secrets = {name: str(app.secret) for name, app in self.apps.items()}

    def authorize(self, parameters: dict[str, str]) -> tuple[Outcome, str]:
        page = self.apps["wiki"].send(self.ada, **{
            name: parameters.get(name) for name in {*parameters, "client_id", "redirect_uri", "response_type", "scope",
                                                    "state", "nonce", "code_challenge", "code_challenge_method"}
        })  # fmt: skip
        if "Location" in page.response.headers or "Refresh" in page.response.headers:
            return of_query(target_of(self.ada)), answer_of(self.ada).get("code", "")
        return ("page", str(page.status)), ""

    def call(self, to: str, form: dict[str, str], headers: dict[str, str]) -> tuple[Outcome, str]:
        page = self.apps["wiki"].server.send("POST", f"/oauth/{to}", data=form, headers=headers, follow=False)
        return of_program(page.status, page.text), page.text


class Theirs:
    paths: ClassVar[dict[str, str]] = {
        "token": "token",
        "userinfo": "me",
        "revoke": "token/revocation",
        "introspect": "token/introspection",
    }

    def __init__(self, port: int) -> None:
        self.base, self.browser = f"http://127.0.0.1:{port}", requests.Session()
        self.ids = {"wiki": "wiki", "other": "other"}
        self.secrets = {"wiki": SECRET, "other": SECRET}

    def authorize(self, parameters: dict[str, str]) -> tuple[Outcome, str]:
        page = self.browser.get(f"{self.base}/auth", params=parameters, allow_redirects=False, timeout=20)
        for _ in range(12):
            to = page.headers.get("Location")
            if to is not None and not urljoin(page.url, to).startswith(self.base):
                return of_query(to), dict(parse_qsl(urlsplit(to).query)).get("code", "")
            if to is not None:
                page = self.browser.get(urljoin(page.url, to), allow_redirects=False, timeout=20)
                continue
            forms = fromstring(page.text).forms if page.text.strip() else []
            if page.status_code != 200 or not forms:
                break
            fields = {**dict(forms[0].fields), "login": "ada", "password": "x"}
            page = self.browser.post(urljoin(page.url, forms[0].action), fields, allow_redirects=False, timeout=20)
        return ("page", str(page.status_code)), ""

    def call(self, to: str, form: dict[str, str], headers: dict[str, str]) -> tuple[Outcome, str]:
        address = f"{self.base}/{self.paths[to]}"
        answer = requests.post(address, form, headers=headers, allow_redirects=False, timeout=20)
        return of_program(answer.status_code, answer.text), answer.text


Provider = Ours | Theirs


@pytest.fixture
def providers(site: Site) -> Iterator[tuple[Ours, Theirs]]:
    facts = json.dumps({"redirect_uri": BACK, "post_logout_redirect_uri": BYE, "secret": SECRET})
    command = ["node", NODE / "reference.mjs", facts]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            port = next(line for line in process.stdout if line.strip().isdigit())
            yield Ours(site), Theirs(int(port))
        finally:
            process.kill()


def request_of(provider: Provider) -> dict[str, str]:
    return {"response_type": "code", "client_id": provider.ids["wiki"], "redirect_uri": BACK, "scope": "openid email",
            "state": "a state", "nonce": "a nonce", "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256"}  # fmt: skip


def exchange_of(provider: Provider) -> dict[str, str]:
    _outcome, code = provider.authorize(request_of(provider))
    assert code, _outcome
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}


def call(provider: Provider, to: str, form: dict[str, str], case: Case) -> tuple[Outcome, str]:
    form = dict(form)
    who = form.pop("as", "wiki")
    name = form.pop("client", provider.ids[who])
    secret = case.changes.get("secret", provider.secrets[who])
    form.pop("secret", None)
    headers = {}
    if "bearer" in form:
        headers["Authorization"] = f"Bearer {form.pop('bearer')}"
    elif secret is not None and to != "userinfo":
        headers["Authorization"] = f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"
    elif to != "userinfo":
        form["client_id"] = name
    if form.pop("again", None):
        provider.call(to, form, headers)
    return provider.call(to, form, headers)


def compare(case: Case, ours: Outcome, theirs: Outcome) -> None:
    if case.reason:
        assert ours != theirs, f"there is no difference: {ours}"
    else:
        assert ours == theirs


@pytest.mark.parametrize("case", AUTHORIZE, **IDS)
def test_an_authorization_request_is_answered_alike(providers: tuple[Ours, Theirs], case: Case) -> None:
    ours, theirs = (one.authorize(asked(request_of(one), case))[0] for one in warm(providers))
    compare(case, ours, theirs)


@pytest.mark.parametrize("case", TOKEN, **IDS)
def test_a_token_request_is_answered_alike(providers: tuple[Ours, Theirs], case: Case) -> None:
    ours, theirs = (call(one, "token", asked(exchange_of(one), case), case)[0] for one in providers)
    compare(case, ours, theirs)


@pytest.mark.parametrize("case", OTHER, **IDS)
def test_other_requests_of_programs_are_answered_alike(providers: tuple[Ours, Theirs], case: Case) -> None:
    outcomes = []
    for one in providers:
        tokens: dict[str, Any] = json.loads(one.call("token", exchange_of(one), basic(one))[1])
        form = {name: str(value).format(**tokens) for name, value in asked({}, case).items()}
        outcomes.append(call(one, form.pop("to"), form, case)[0])
    compare(case, *outcomes)


def basic(provider: Provider) -> dict[str, str]:
    pair = f"{provider.ids['wiki']}:{provider.secrets['wiki']}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def warm(providers: tuple[Ours, Theirs]) -> tuple[Ours, Theirs]:
    """The person has logged in and agreed before."""
    for one in providers:
        assert one.authorize(request_of(one))[1]
    return providers
