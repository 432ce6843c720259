"""The operator's commands for roles, groups and apps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import update

from tests.conftest import Site, one_database
from webapp.domain.codes import hash_of
from webapp.models.names import SiteKey
from webapp.models.registered_apps import AppSecret
from webapp.services.operators import AppOptions

pytestmark = one_database

Run = Callable[..., Result]
WIKI = ("apps", "create", "--name", "Wiki", "--kind", "web", "--redirect-uri", "https://wiki.example.org/callback")


@pytest.fixture
def run(site: Site) -> Run:
    site.services.sign_up.create_by_operator("Ada", "ada", "violet tractors hum", "ada@example.org", confirmed=True)
    return lambda *words: site.app.test_cli_runner().invoke(args=words)


def said(result: Result) -> str:
    """What the command printed, without the log."""
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(result: Result) -> str:
    assert result.exit_code == 1, result.output
    return result.stderr.splitlines()[-1]


def facts(result: Result) -> dict[str, str]:
    return dict(line.split("=", 1) for line in said(result).splitlines())


def test_a_key_that_is_missing_ends_a_command_with_one_sentence_and_nothing_is_changed(site: Site, run: Run) -> None:
    made = site.services.operators.apps.create("guarded", AppOptions("Files", host="files.example.org"))
    run("accounts", "create", "--username", "bob", "--name", "Bob", "--email", "bob@example.org", "--email-confirmed")
    site.services.accounts.delete("ada")
    with site.services.db.write() as tx:
        for table in (AppSecret, SiteKey):
            tx.execute(update(table).values(sealed="none.AAAA"))
    create = ("accounts", "create", "--username", "eve", "--name", "Eve", "--email", "eve@example.org")
    for words in (("apps", "show", made.app.client_id, "--proxy", "nginx"), create):
        result = site.app.test_cli_runner().invoke(args=words, input="violet tractors hum\n")
        assert refusal(result) == (
            "Error: the encryption key 'none' is not among the settings; put back what was in"
            " NIGHTLATCH_ENCRYPTION_KEYS."
        )
    assert "eve" not in said(run("accounts", "list"))


def test_roles_and_locks_are_said_and_shown(run: Run) -> None:
    assert "Role: person\nGroups: none\n" in said(run("accounts", "show", "ada"))
    assert said(run("accounts", "promote", "ada")) == "ada is an operator now.\n"
    assert said(run("accounts", "promote", "ada")) == "ada is an operator already.\n"
    assert "only operator" in refusal(run("accounts", "demote", "ada"))
    assert "only operator" in refusal(run("accounts", "lock", "ada"))
    assert "only operator" in refusal(run("accounts", "delete", "ada"))
    run("accounts", "create", "--username", "bob", "--name", "Bob")
    assert refusal(run("accounts", "promote", "bob")) == "Error: No account has that username."


def test_an_account_is_locked_and_unlocked(run: Run) -> None:
    assert said(run("accounts", "demote", "ada")) == "ada isn't an operator.\n"
    assert said(run("accounts", "lock", "ada")) == "ada is locked and logged out on all devices.\n"
    assert said(run("accounts", "lock", "ada")) == "ada is locked already.\n"
    assert "Locked: since " in said(run("accounts", "show", "ada"))
    assert said(run("accounts", "unlock", "ada")) == "ada can log in again.\n"
    assert said(run("accounts", "unlock", "ada")) == "ada isn't locked.\n"


def test_an_operator_is_demoted_where_there_is_another(site: Site, run: Run) -> None:
    site.services.sign_up.create_by_operator("Bob", "bob", "violet tractors hum", None, confirmed=False)
    for username in ("ada", "bob"):
        run("accounts", "promote", username)
    assert said(run("accounts", "demote", "bob")) == "bob is no operator any more.\n"


def test_groups_are_made_filled_listed_and_deleted(run: Run) -> None:
    assert said(run("groups", "create", "staff")) == "Created the group staff.\n"
    assert refusal(run("groups", "create", "staff")) == (
        "Error: There's already a group with that name. Choose another name."
    )
    assert said(run("groups", "add", "staff", "ada")) == "ada is in the group staff now.\n"
    assert said(run("groups", "add", "staff", "ada")) == "ada is in the group staff already.\n"
    assert refusal(run("groups", "add", "staff", "eve")) == "Error: No account has that username."
    assert refusal(run("groups", "add", "board", "ada")) == "Error: There's no group with that name."
    assert said(run("groups", "list")) == "staff\t1\n"
    assert "Groups: staff\n" in said(run("accounts", "show", "ada"))
    assert said(run("groups", "remove", "staff", "ada")) == "ada left the group staff.\n"
    assert said(run("groups", "remove", "staff", "ada")) == "ada isn't in the group staff.\n"
    assert said(run("groups", "delete", "staff")) == "Deleted the group staff.\n"
    assert said(run("groups", "list")) == ""


def test_a_web_application_gets_an_id_and_a_secret(site: Site, run: Run) -> None:
    made = facts(run(*WIKI))
    assert set(made) == {"client_id", "client_secret"}
    stored = site.services.operators.apps.named(made["client_id"])
    assert stored.secrets[0].secret_hash == hash_of(made["client_secret"])
    assert json.loads(said(run(*WIKI, "--json"))).keys() == {"client_id", "client_secret"}


def test_an_app_without_a_secret_prints_none(run: Run) -> None:
    public = ("apps", "create", "--name", "Notes", "--kind", "public", "--redirect-uri", "com.example.notes:/callback")
    assert set(facts(run(*public))) == {"client_id"}
    assert json.loads(said(run(*public, "--json")))["client_secret"] is None


def test_the_secret_of_a_guarded_host_is_not_printed(site: Site, run: Run) -> None:
    rules = ("public GET /assets",)
    stored = AppOptions("Files", host="files.localhost:5001", rules=rules)
    client_id = site.services.operators.apps.create("guarded", stored).app.client_id
    assert set(facts(run("apps", "rotate-secret", client_id))) == {"id"}
    shown = facts(run("apps", "show", client_id))
    assert (shown["host"], shown["rules"]) == ("files.localhost:5001", "public GET /assets")


def test_a_guarded_host_prints_its_id_only(site: Site, run: Run) -> None:
    host = ("apps", "create", "--name", "Files", "--kind", "guarded", "--host", "Files.example.org:8443")
    rules = ("--rule", "public  GET,POST /assets", "--rule", "key /admin", "--allow-authorization")
    made = facts(run(*host, *rules))
    assert set(made) == {"id"}
    shown = facts(run("apps", "show", made["id"]))
    assert (shown["kind"], shown["host"], shown["authorization_allowed"]) == (
        "guarded",
        "files.example.org:8443",
        "yes",
    )
    assert shown["rules"] == "public GET,POST /assets, key /admin"
    assert refusal(run(*host)) == "Error: Another app already has this host."


def test_an_app_proves_itself_by_keys_in_a_file(site: Site, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text('{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}')
    made = json.loads(said(run(*WIKI, "--jwks", str(file), "--json")))
    assert made["client_secret"] is None
    assert json.loads(facts(run("apps", "show", made["client_id"]))["jwks"]) == json.loads(file.read_text())
    file.write_text('{"keys": [{"kty": "EC", "d": "AA"}]}')
    assert "only public keys" in refusal(run(*WIKI, "--jwks", str(file)))
    file.write_text("keys")
    result = run(*WIKI, "--jwks", str(file))
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        *(2, "Error: Invalid value for '--jwks': This file isn't JSON."),
    )


def test_the_keys_of_an_app_can_come_from_standard_input(site: Site, run: Run) -> None:
    """The command of an installed site runs as its user, in another folder: it finds no file of root's."""
    keys = '{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}'
    result = site.app.test_cli_runner().invoke(args=[*WIKI, "--jwks", "-", "--json"], input=keys)
    made = json.loads(said(result))
    assert json.loads(facts(run("apps", "show", made["client_id"]))["jwks"]) == json.loads(keys)
    missing = run(*WIKI, "--jwks", "nowhere.json")
    assert missing.exit_code == 2
    assert "'nowhere.json': No such file or directory" in missing.stderr


def test_every_option_is_a_flag(run: Run) -> None:
    run("groups", "create", "staff")
    more: tuple[str, ...] = (
        "--group",
        "staff",
        "--proof",
        "key",
        "--subject",
        "public",
        "--trusted",
        "--no-pkce",
    )
    more += ("--post-logout-redirect-uri", "https://wiki.example.org/bye", "--signing-algorithm", "ES256")
    more += ("--max-age", "600", "--resource", "https://api.example.org/", "--sector", "a.org")
    more += ("--redirect-uri", "https://wiki.example.org/other", "--scope", "email", "--dpop", "--device")
    more += ("--backchannel-logout-uri", "https://wiki.example.org/out", "--jwks-uri", "https://wiki.example.org/keys")
    more += ("--private-address", "10.0.0.0/8", "--private-address", "10.1.0.0/16")
    made = facts(run(*WIKI, *more))
    shown = facts(run("apps", "show", made["client_id"]))
    assert {name: shown[name] for name in sorted(shown) if name not in ("client_id", "made_at", "secrets")} == {
        "authorization_allowed": "no",
        "backchannel_logout_uri": "https://wiki.example.org/out",
        "device_allowed": "yes",
        "dpop_demanded": "yes",
        "groups": "staff",
        "jwks_uri": "https://wiki.example.org/keys",
        "kind": "web",
        "max_age": "600",
        "name": "Wiki",
        "origins": "",
        "pkce_demanded": "no",
        "post_logout_redirect_uris": "https://wiki.example.org/bye",
        "private_addresses": "10.0.0.0/8, 10.1.0.0/16",
        "proof": "key",
        "redirect_uris": "https://wiki.example.org/callback, https://wiki.example.org/other",
        "resources": "https://api.example.org/",
        "rules": "",
        "scopes": "openid, email",
        "sector": "a.org",
        "signing_algorithm": "ES256",
        "subject_type": "public",
        "trusted": "yes",
    }
    assert json.loads(said(run("apps", "show", made["client_id"], "--json")))["trusted"] is True


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--redirect-uri", "http://wiki.example.org/"), "Use an address that starts with https: "),
        (("--group", "nobodies"), "There's no group nobodies. Add it first."),
        (("--origin", "https://spa.example.org"), "This kind of app doesn't have this option: origins."),
        (("--rule", "public /"), "This kind of app doesn't have this option: rules."),
        (("--kind", "guarded"), "This kind of app doesn't have this option: redirect_uris."),
    ],
)
def test_an_option_that_cannot_be_is_answered_by_one_sentence(run: Run, more: tuple[str, ...], sentence: str) -> None:
    assert refusal(run(*WIKI, *more)).startswith(f"Error: {sentence}")
    assert said(run("apps", "list")) == ""


def test_a_secret_is_rotated_and_an_app_deleted(site: Site, run: Run) -> None:
    made = facts(run(*WIKI))
    name = made["client_id"]
    rotated = [facts(run("apps", "rotate-secret", name))["client_secret"] for _ in range(2)]
    live = [secret.secret_hash for secret in site.services.operators.apps.named(name).secrets]
    assert live == [hash_of(secret) for secret in rotated]
    assert made["client_secret"] not in said(run("apps", "show", name))
    assert said(run("apps", "list")) == f"{name}\tweb\tWiki\t-\n"
    assert said(run("apps", "delete", name)) == "Deleted Wiki.\n"
    for command in ("show", "rotate-secret", "delete"):
        assert refusal(run("apps", command, name)) == "Error: There's no app with that ID."
