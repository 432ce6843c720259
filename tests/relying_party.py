"""An app that logs people in by OpenID Connect, without a browser: it builds addresses and calls machine addresses."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.adapters.app_server import AppServer
from tests.conftest import Site
from tests.people import HOST, Page, Person
from webapp.models.registered_apps import PUBLIC as PUBLIC
from webapp.models.registered_apps import WEB as WEB
from webapp.services.operators import AppOptions

BACK = "https://app.example/back"
VERIFIER = "correct-horse-battery-staple-correct-horse-battery"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ISSUER = f"http://{HOST}"


def challenge_of(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class RelyingParty:
    """`options` are those of `AppOptions`."""

    def __init__(self, site: Site, kind: str = WEB, name: str = "Wiki", **options: Any) -> None:
        self.site, self.kind = site, kind
        made = site.services.operators.apps.create(kind, AppOptions(name, **{"redirect_uris": (BACK,), **options}))
        self.app, self.client_id, self.secret = made.app, made.app.client_id, made.secret
        self.server = Person(site.app, address="198.51.100.44")

    # -- The browser -----------------------------------------------------------------------------------

    def address(self, **changes: str | None) -> str:
        """The address to which the app sends a browser. None leaves a parameter out."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": BACK,
            "scope": "openid",
            "state": "a state",
            "nonce": "a nonce",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        return f"/oauth/authorize?{urlencode({name: value for name, value in asked.items() if value is not None})}"

    def send(self, person: Person, **changes: str | None) -> Page:
        """The page at which the browser arrives, on this site."""
        person.open(self.address(**changes), follow=False)
        return arrive(person)

    def code(self, person: Person, **changes: str | None) -> str:
        """The code that the app gets, after Continue where that is asked."""
        page = self.send(person, **changes)
        if "Continue" in page.buttons:
            person.press("Continue")
        return answer_of(person)["code"]

    # -- Its server --------------------------------------------------------------------------------------

    def call(
        self, path: str, *, authorization: str | None = None, proved: bool = True, dpop: str | None = None, **form: str
    ) -> Page:
        """A POST; `proved` proves the app by its secret, or names it when it has none. `dpop` is a header."""
        headers = {"DPoP": dpop} if dpop is not None else {}
        if proved and self.secret is not None:
            pair = b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        elif proved:
            form["client_id"] = self.client_id
        if authorization is not None:
            headers["Authorization"] = authorization
        return self.server.send("POST", path, data=form, headers=headers, follow=False)

    def exchange(self, code: str, **changes: str) -> Page:
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return self.call("/oauth/token", **{**asked, **changes})

    def refresh(self, token: str, **more: str) -> Page:
        return self.call("/oauth/token", grant_type="refresh_token", refresh_token=token, **more)

    def tokens(self, person: Person, **changes: str | None) -> dict[str, Any]:
        """What the app gets for a log-in."""
        page = self.exchange(self.code(person, **changes))
        assert page.status == 200, page.text[:300]
        return json_of(page)

    def userinfo(self, access_token: str, scheme: str = "Bearer", dpop: str | None = None) -> Page:
        headers = {"Authorization": f"{scheme} {access_token}", **({"DPoP": dpop} if dpop is not None else {})}
        return self.server.open("/oauth/userinfo", headers=headers, follow=False)

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a token, verified by the published keys."""
        keys = KeySet.import_key_set(json_of(self.server.open("/oauth/keys")))
        return jwt.decode(token, keys, algorithms=["RS256", "ES256"]).claims


def unsigned(claims: dict[str, Any]) -> str:
    """A JWT without a signature, as a request object may be (OpenID Connect Core 1.0 section 6.1)."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, claims)]
    return f"{'.'.join(parts)}."


class ToldParty(RelyingParty):
    """An app that is told of log-out at an address of its own server, and judges what comes there."""

    def __init__(self, site: Site, server: AppServer, **options: Any) -> None:
        here = {"backchannel_logout_uri": server.url, "private_addresses": ("127.0.0.0/8",)}
        super().__init__(site, **{**here, **options})
        self.http, self.read_until = server, 0
        self.seen: set[str] = set()

    def told(self) -> list[dict[str, Any]]:
        """The claims of the log-out tokens that came since the last call, once what is owed was delivered."""
        self.site.services.delivery.deliver_due()
        fresh = self.http.taken[self.read_until :]
        self.read_until += len(fresh)
        return [self.judged(one.form["logout_token"]) for one in fresh]

    def judged(self, token: str) -> dict[str, Any]:
        """As OpenID Connect Back-Channel Logout 1.0 section 2.6 demands. Raises `JoseError` or `AssertionError`."""
        keys = KeySet.import_key_set(json_of(self.server.open("/oauth/keys")))
        found = jwt.decode(token, keys, algorithms=[self.app.signing_algorithm])
        demanded = {name: {"essential": True} for name in ("sub", "sid", "iat", "exp", "jti", "events")}
        fixed = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": self.client_id}}
        jwt.JWTClaimsRegistry(self.site.clock.now(), 0, **demanded, **fixed).validate(found.claims)
        assert found.header["typ"] == "logout+jwt"
        assert found.claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
        assert "nonce" not in found.claims
        assert found.claims["jti"] not in self.seen, "a replay"
        self.seen.add(found.claims["jti"])
        return found.claims


class Television(RelyingParty):
    """An app that shows a code and polls."""

    def __init__(self, site: Site, kind: str = PUBLIC, **options: Any) -> None:
        super().__init__(site, kind, "Films", **{"redirect_uris": (), "device_allowed": True, **options})

    def show(self, scope: str = "openid email") -> dict[str, Any]:
        self.shown = json_of(self.call("/oauth/device", scope=scope))
        return self.shown

    def poll(self, **changes: str) -> dict[str, Any]:
        asked = {"grant_type": DEVICE_CODE, "device_code": self.shown["device_code"], **changes}
        return json_of(self.call("/oauth/token", **asked))


def json_of(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.text)
    return found


def arrive(person: Person) -> Page:
    """Follows redirects as long as they stay on this site."""
    for _ in range(8):
        assert person.page is not None
        to = person.page.response.headers.get("Location")
        if to is None or (to.startswith("http") and urlsplit(to).netloc not in (HOST, f"mobile.{HOST}")):
            break
        person.open(to, follow=False)
    assert person.page is not None
    return person.page


def target_of(person: Person) -> str:
    """Where the browser goes next: by a redirect to an app, or from the page that leads on by itself."""
    page = arrive(person)
    if "Location" in page.response.headers:
        return page.response.headers["Location"]
    refresh = page.response.headers.get("Refresh", "")
    assert refresh.startswith("0; url="), f"{page.status} {page.path} leads nowhere: {page.h1}"
    assert page.link("Continue") == refresh.removeprefix("0; url=")
    return refresh.removeprefix("0; url=")


def answer_of(person: Person) -> dict[str, str]:
    """The parameters of the answer that the browser takes to the app."""
    return dict(parse_qsl(urlsplit(target_of(person)).query))
