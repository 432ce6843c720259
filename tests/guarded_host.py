"""A guarded host without its proxy: asks what the proxy asks, and leads a browser through the log-in."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin, urlsplit

from tests.conftest import Site
from tests.people import Page, Person
from webapp.models.registered_apps import GUARDED
from webapp.services.operators import AppOptions

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
WIKI = "wiki.localhost"


class GuardedHost:
    """`options` are those of `AppOptions`."""

    def __init__(self, site: Site, host: str = WIKI, name: str = "Wiki", **options: Any) -> None:
        made = site.services.operators.apps.create(GUARDED, AppOptions(name, host=host, **options))
        self.site, self.host, self.app, self.secret = site, host, made.app, str(made.secret)

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    # -- Its proxy -------------------------------------------------------------------------------------

    def check(self, person: Person, target: str = "/", proxy: str = "nginx", **more: Any) -> Page:
        """What the proxy learns about a navigation; `headers`, `method` and `secret` may be others."""
        method, secret = more.pop("method", "GET"), more.pop("secret", self.secret)
        given = {**NAVIGATION, **original(proxy, self.host, target, method), **more.pop("headers", {})}
        path = f"/forward/{proxy}/{secret}"
        sent = method if proxy == "envoy" else "GET"
        if proxy == "envoy":
            path += target
        return person.send(sent, path, follow=False, **{"host": self.host, "headers": given, **more})

    def lets_in(self, person: Person, target: str = "/", **more: Any) -> bool:
        """Whether the request reaches the application."""
        return self.check(person, target, **more).status == 200

    # -- The browser -------------------------------------------------------------------------------------

    def ask(self, person: Person, target: str = "/") -> Page:
        """The page at which a browser arrives that opens a page of the host."""
        page = self.check(person, target)
        assert page.status == 401, page.status
        return self.follow(person, page.response.headers["Location"])

    def follow(self, person: Person, to: str) -> Page:
        """Follows redirects up to the application, of which nothing is opened here."""
        for _ in range(8):
            if self.is_of_app(to):
                break
            page = person.open(to, follow=False)
            found = page.response.headers.get("Location")
            if found is None:
                break
            to = urljoin(page.response.request.url, found)
        assert person.page is not None
        return person.page

    def is_of_app(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.netloc == self.host and not parts.path.startswith("/.nightlatch/")

    def go_back(self, person: Person) -> str:
        """From the page "Going back to ..." to the host; returns the page to which its log-in leads."""
        self.follow(person, refresh_of(person))
        assert person.page is not None
        to = person.page.response.headers.get("Location", "")
        assert self.is_of_app(to), f"{person.page.status} {person.page.text[:300]}"
        return to

    def enter(self, person: Person, target: str = "/") -> str:
        """A log-in of who has a session of the site with enough proof, and none at the host."""
        self.ask(person, target)
        return self.go_back(person)

    def code(self, person: Person, target: str = "/") -> str:
        """The code with which the browser would go back to the host."""
        self.ask(person, target)
        return code_in(refresh_of(person))

    def back(self, person: Person, code: str) -> Page:
        return person.open(f"{self.url}/.nightlatch/back?code={code}", follow=False)

    def token(self, person: Person) -> str:
        cookie = person.client.get_cookie("nightlatch", domain=self.host)
        assert cookie is not None
        return str(cookie.value)

    def give(self, person: Person, token: str, name: str = "nightlatch") -> None:
        person.client.set_cookie(name, token, domain=self.host)

    def log_out(self, person: Person, origin: str | None = None) -> Page:
        """Sends the form of the host's own page, or of another origin."""
        headers = {"Origin": self.url if origin is None else origin}
        response = person.client.post("/.nightlatch/log-out", base_url=self.url, headers=headers)
        person.page = Page(response)
        return person.page


def original(proxy: str, host: str, target: str, method: str) -> dict[str, str]:
    if proxy == "nginx":
        return {"X-Original-URL": f"http://{host}{target}", "X-Original-Method": method}
    if proxy == "envoy":
        return {}
    return {"X-Forwarded-Host": host, "X-Forwarded-Uri": target, "X-Forwarded-Method": method}


def refresh_of(person: Person) -> str:
    assert person.page is not None
    refresh = person.page.response.headers.get("Refresh", "")
    assert refresh.startswith("0; url="), f"{person.page.status} {person.page.path}: {person.page.text[:300]}"
    return refresh.removeprefix("0; url=")


def code_in(url: str) -> str:
    found = re.search(r"code=([0-9a-f]{64})$", url)
    assert found, url
    return found[1]
