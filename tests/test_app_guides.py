"""The commands of docs/how-to/connect-an-app.md and move-a-site.md work, and a real client logs in by them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.conftest import Site, one_database
from tests.people import Owner
from tests.relying_party import ISSUER, Person, RelyingParty, json_of, target_of
from webapp.services.openid import discovery
from webapp.settings import ROOT

pytestmark = one_database

GUIDES = ROOT / "docs" / "how-to"
CONNECT, MOVE = GUIDES / "connect-an-app.md", GUIDES / "move-a-site.md"


def commands(guide: Path) -> list[list[str]]:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", guide.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    assert all(line.startswith("flask ") for line in lines)
    return [shlex.split(line)[1:] for line in lines]


def facts(printed: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in printed.splitlines() if re.match(r"\w+=", line))


@pytest.mark.parametrize("guide", [CONNECT, MOVE], ids=lambda guide: guide.stem)
def test_every_command_of_a_guide_works(site: Site, guide: Path) -> None:
    run = site.app.test_cli_runner()
    assert len(commands(guide)) >= 7
    for words in commands(guide):
        result = run.invoke(args=words)
        assert result.exit_code == 0, (words, result.output)


def test_moved_people_have_accounts_and_groups(site: Site) -> None:
    run = site.app.test_cli_runner()
    for words in commands(MOVE):
        run.invoke(args=words)
    assert "Role: operator" in run.invoke(args=["accounts", "show", "ada"]).output
    assert "editors" in run.invoke(args=["accounts", "show", "bob"]).output
    assert "Wiki" in run.invoke(args=["apps", "list"]).output


@pytest.mark.parametrize(
    "option",
    sorted(set(re.findall(r"^\| `(--[a-z-]+)", CONNECT.read_text(), re.MULTILINE))),
)
def test_every_option_that_the_guide_names_is_one(site: Site, option: str) -> None:
    assert option in site.app.test_cli_runner().invoke(args=["apps", "create", "--help"]).output


def test_a_real_client_logs_in_with_the_four_values(site: Site) -> None:
    ada = Owner.signed_up(site)
    words = next(words for words in commands(CONNECT) if words[:2] == ["apps", "create"])
    made = facts(site.app.test_cli_runner().invoke(args=words).stdout)
    server = Person(site.app, address="198.51.100.44")
    told = json_of(server.open("/.well-known/openid-configuration"))
    assert told["issuer"] == ISSUER
    address = words[words.index("--redirect-uri") + 1]
    client = OAuth2Session(
        made["client_id"],
        made["client_secret"],
        scope="openid profile email",
        redirect_uri=address,
        code_challenge_method="S256",
    )
    verifier = "v" * 48
    asked, state = client.create_authorization_url(told["authorization_endpoint"], code_verifier=verifier, nonce="n")
    ada.open(asked.removeprefix(ISSUER))
    assert ada.page is not None
    assert ada.page.h1 == "Log in to Wiki"
    ada.press("Continue")
    answer = target_of(ada)
    assert answer.startswith(f"{address}?code=")
    assert f"state={state}" in answer
    form = {"grant_type": "authorization_code", "redirect_uri": address, "code_verifier": verifier}
    code = re.findall(r"code=([^&]+)", answer)[0]
    proof = client.client_auth("client_secret_basic").prepare("POST", told["token_endpoint"], {}, "")[1]
    page = server.send("POST", "/oauth/token", data={**form, "code": code}, headers=proof, follow=False)
    tokens = json_of(page)
    keys = KeySet.import_key_set(json_of(server.open("/oauth/keys")))
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    registry = jwt.JWTClaimsRegistry(
        now=site.clock.now,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": made["client_id"]},
        nonce={"essential": True, "value": "n"},
    )
    registry.validate(claims)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    profile = json_of(server.open("/oauth/userinfo", headers=bearer))
    assert profile["preferred_username"] == "ada"
    assert profile["sub"] == claims["sub"]


@pytest.mark.parametrize("app", ["Grafana", "Forgejo and Gitea", "Nextcloud", "Immich", "Miniflux"])
def test_what_the_guide_says_of_an_app_logs_in(site: Site, app: str) -> None:
    """Of apps that are not installed here: the addresses are ours, and registered as the guide says, each redirect
    address gets tokens, with or without PKCE as the app sends it."""
    found = re.search(rf"^## {app}\n(.*?)^## ", CONNECT.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    section = found[1]
    ours = {str(value).removeprefix(ISSUER) for value in discovery.document(ISSUER, []).values()}
    named = set(re.findall(r"https://login\.example\.org([^\s`]*)", section))
    assert named <= ours | {"", "/.well-known/openid-configuration"}
    ada, client = Owner(site), RelyingParty(site)
    ada.sign_up()
    words = next(words for words in commands(CONNECT) if words[:2] == ["apps", "create"] and words[3] in app)
    made = facts(site.app.test_cli_runner().invoke(args=words).stdout)
    client.client_id, client.secret = made["client_id"], made["client_secret"]
    without = {"code_challenge": None, "code_challenge_method": None} if "--no-pkce" in words else {}
    verifier = {"code_verifier": ""} if without else {}
    for address in (words[at + 1] for at, word in enumerate(words) if word == "--redirect-uri"):
        code = client.code(ada, redirect_uri=address, scope="openid profile email", **without)
        page = client.exchange(code, redirect_uri=address, **verifier)
        assert page.status == 200, page.text
        told = json_of(client.userinfo(json_of(page)["access_token"]))
        assert {"sub", "preferred_username", "email"} <= set(told)
