"""openid-client and oauth4webapi, two certified libraries, log people in over a real server (`make test-apps`).

The libraries judge what the server sends; the test is the person with a browser.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc.jwk import ECKey

from tests.browser.live import LiveSite, live_site
from tests.people import Owner
from tests.relying_party import target_of
from webapp.models.registered_apps import PUBLIC, WEB
from webapp.services.operators import AppOptions

NODE = Path(__file__).parent / "node"
BACK, BYE = "https://app.example/back", "https://app.example/bye"
SCOPE = "openid profile email offline_access"


class Script:
    """A script of `node/`, which says what it needs of the person, one JSON object a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def says(self, step: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(self.process.stderr.read())
        said: dict[str, Any] = json.loads(line)
        assert said.pop("step") == step, said
        return said

    def answer(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()


@contextmanager
def script(name: str, **facts: Any) -> Iterator[Script]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(["node", NODE / name, json.dumps(facts)], text=True, **pipes) as process:
        try:
            yield Script(process)
        finally:
            process.kill()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LiveSite]:
    with live_site(tmp_path) as site:
        yield site


@pytest.fixture
def ada(site: LiveSite) -> Owner:
    ada = site.person("ada")
    site.services.sign_up.create_by_operator("Ada", "ada", ada.password, ada.email, confirmed=True)
    return ada


def path_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def log_in(person: Owner, address: str) -> str:
    """What the person does in a browser; the address to which it then goes."""
    person.open(path_of(address))
    person.press("Log in", username="ada", password=person.password)
    person.press("Continue")
    return target_of(person)


LIBRARIES = ["openid_client.mjs", "oauth4webapi.mjs"]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_library_logs_in_refreshes_and_logs_out(
    site: LiveSite, ada: Owner, library: str, method: str, algorithm: str
) -> None:
    options = AppOptions("Wiki", redirect_uris=(BACK,), post_logout_redirect_uris=(BYE,), signing_algorithm=algorithm)
    made = site.services.operators.apps.create(PUBLIC if method == "none" else WEB, options)
    facts = {"client_id": made.app.client_id, "secret": made.secret, "method": method}
    assert use(site, ada, library, **facts)["claims"]["aud"] == made.app.client_id


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("more", [{"par": True}, {"dpop": True}, {"par": True, "dpop": True}], ids=str)
@pytest.mark.parametrize("method", ["private_key_jwt", "client_secret_basic", "none"])
def test_a_library_pushes_its_request_and_binds_its_tokens(
    site: LiveSite, ada: Owner, library: str, method: str, more: dict[str, bool]
) -> None:
    key = ECKey.generate_key("P-256", {"kid": "one"})
    has_keys, kind = method == "private_key_jwt", PUBLIC if method == "none" else WEB
    given: dict[str, Any] = {"jwks": {"keys": [key.as_dict(private=False)]}} if has_keys else {}
    options = AppOptions("Wiki", redirect_uris=(BACK,), post_logout_redirect_uris=(BYE,), **given)
    made = site.services.operators.apps.create(kind, options)
    facts = {"client_id": made.app.client_id, "secret": made.secret, "method": method}
    done = use(site, ada, library, **facts, **more, **({"jwk": key.as_dict(private=True)} if has_keys else {}))
    assert done["tokenType"].lower() == ("dpop" if "dpop" in more else "bearer")


def use(site: LiveSite, ada: Owner, library: str, **facts: Any) -> dict[str, Any]:
    """A whole use of the app; what the script says at its end."""
    addresses = {"issuer": f"http://{site.host}", "redirect_uri": BACK, "post_logout_redirect_uri": BYE}
    with script(library, **facts, **addresses, scope=SCOPE) as app:
        app.answer(log_in(ada, app.says("open")["url"]))
        ada.open(path_of(app.says("log out")["url"]), follow=False)
        app.answer(target_of(ada))
        done = app.says("done")
    assert done["userinfo"]["email"] == "ada@example.org"
    assert done["userinfo"]["preferred_username"] == "ada"
    assert done["known"]["active"] is True
    assert done["rotated"] is True
    assert done["back"] == f"{BYE}?state=bye"
    assert done["afterLogOut"] == "invalid_grant", "log-out ends what may outlive the session"
    assert done["ended"]["active"] is False
    assert ada.open("/settings").h1 == "Log in"
    return done


def test_a_device_without_a_browser_logs_in(site: LiveSite, ada: Owner) -> None:
    options = AppOptions("Wiki", redirect_uris=(BACK,), post_logout_redirect_uris=(BYE,), device_allowed=True)
    made = site.services.operators.apps.create(WEB, options)
    facts = {"client_id": made.app.client_id, "secret": made.secret, "method": "client_secret_basic", "device": True}
    addresses = {"issuer": f"http://{site.host}", "redirect_uri": BACK, "post_logout_redirect_uri": BYE}
    with script("openid_client.mjs", **facts, **addresses, scope=SCOPE) as app:
        shown = app.says("device")
        ada.open("/log-in")
        ada.press("Log in", username="ada", password=ada.password)
        ada.open("/device")
        ada.press("Continue", code=shown["user_code"])
        ada.press("Continue")
        app.answer("agreed")
        ada.open(path_of(app.says("log out")["url"]), follow=False)
        app.answer(target_of(ada))
        assert app.says("done")["userinfo"]["preferred_username"] == "ada"
