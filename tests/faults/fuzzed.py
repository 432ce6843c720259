"""10,000 requests that no browser sends, to every page and machine address: none is answered with 5xx, but 503.

`FUZZ_SEED` repeats the run whose seed a failure names.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Any
from urllib.parse import quote

import pytest

from tests.attacks.tools import enroll, routes
from tests.conftest import Site, one_database
from tests.doubles import CheapHasher, FailingPushes, FailingTexts
from tests.people import HOST, Owner, Page, Person

pytestmark = one_database

REQUESTS = 10_000
STRANGE = (
    *("", " ", "\0", "\t\r\n", "é" * 300, "\u202e", "\ufeff", "\U0010ffff", "\ud800", "ﷺ" * 90, "e\u0301" * 200),
    *(
        "0",
        "-1",
        "1e9",
        "9" * 40,
        "NaN",
        "true",
        "null",
        "[]",
        "{}",
        '{"id": [1, {"a": null}]}',
        "%00",
        "%ff",
        "a" * 5000,
    ),
    *("'", '"', "' OR 1=1 --", "<script>", "{{7*7}}", "../../etc/passwd", "//evil.example", "https://evil.example/"),
    *(
        "ada",
        "ada@example.org",
        "+447400123456",
        "123456",
        "١٢٣٤٥٦",
        "AAAA-AAAA-AAAA-AAAA",
        "authentication-app",
        "0" * 64,
    ),
)
HEADERS = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Type", "Cookie", "DPoP", "Forwarded"),
    *("HX-Request", "HX-Current-URL", "If-None-Match", "Origin", "Range", "Referer", "Sec-CH-UA-Mobile"),
    *("Sec-Fetch-Site", "Sec-Fetch-Mode", "User-Agent", "X-Forwarded-For", "X-Forwarded-Uri", "X-Original-URI"),
)
METHODS = ("GET", "GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW")
TYPES = ("application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=b", "text/vcard", "?")
FIELDS = (
    *(
        "username",
        "password",
        "name",
        "email",
        "phone",
        "country",
        "code",
        "credential",
        "subscription",
        "number",
        "next",
    ),
    *(
        "method",
        "act",
        "why",
        "group",
        "redirect_uris",
        "rules",
        "kind",
        "resend",
        "cancel",
        "page",
        "before",
        "language",
    ),
    *("client_id", "client_secret", "grant_type", "redirect_uri", "response_type", "scope", "state", "code_challenge"),
    *(
        "request",
        "request_uri",
        "prompt",
        "max_age",
        "id_token_hint",
        "refresh_token",
        "token",
        "device_code",
        "user_code",
    ),
)


@pytest.fixture
def overrides() -> dict[str, Any]:
    return {"hasher": CheapHasher(), "texts": FailingTexts(), "pushes": FailingPushes()}


@dataclass
class Fuzz:
    site: Site
    random: Random
    people: list[Person]
    paths: list[str]
    sent: tuple[str, str, dict[str, Any]] = ("", "", {})
    """Method, path and the rest of the last request."""

    def text(self) -> str:
        parts = self.random.choices((*STRANGE, *self.paths), k=self.random.choice((1, 1, 1, 2)))
        return "".join(parts)

    def sendable(self) -> str:
        """A value that a header may have on the wire (RFC 9110 section 5.5)."""
        value = self.text().encode("utf-8", "surrogatepass").decode("latin-1")
        return "".join(character for character in value if character >= " " and character != "\x7f")[:3000]

    def escaped(self) -> str:
        return quote(self.text().encode("utf-8", "surrogatepass"), safe="/%:@")

    def address(self) -> str:
        path = self.random.choice(self.paths)
        if self.random.random() < 0.2:
            parts = path.split("/")
            parts[self.random.randrange(len(parts))] = self.escaped()
            path = "/" + "/".join(parts).lstrip("/")
        queries = [f"{self.random.choice(FIELDS)}={self.escaped()}" for _ in range(self.random.choice((0, 0, 1, 3)))]
        return f"{path}?{'&'.join(queries)}" if queries else path

    def raw(self, person: Person) -> Page:
        """Any method, headers and body, at any address."""
        names = self.random.sample(HEADERS, k=self.random.choice((0, 1, 2)))
        options: dict[str, Any] = {"headers": {name: self.sendable() for name in names}}
        if self.random.random() < 0.6:
            fields = [f"{self.random.choice(FIELDS)}={self.escaped()}" for _ in range(self.random.randrange(6))]
            token = [f"csrf_token={person.token()}"] if self.random.random() < 0.7 else []
            options["data"] = self.random.choice(("&".join([*token, *fields]), self.escaped()))
            options["content_type"] = self.random.choice((TYPES[0], TYPES[0], TYPES[0], *TYPES))
        return self._sent(person, self.random.choice(METHODS), self.address(), **options)

    def form(self, person: Person) -> Page:
        """A form of a page, some of whose values are strange."""
        page = self._sent(person, "GET", self.random.choice(self.paths))
        forms = page.tree.xpath("//form") if page.response.mimetype == "text/html" else []
        if not forms:
            return page
        form = self.random.choice(forms)
        names = form.xpath(".//input/@name | .//select/@name | .//textarea/@name | .//button/@name")
        given = {name: form.xpath(f"string(.//*[@name='{name}']/@value)") for name in names}
        for name in self.random.sample(sorted(given), k=min(len(given), self.random.choice((0, 1, 1, 2)))):
            given[name] = self.text().encode("utf-8", "replace").decode()
        if self.random.random() < 0.9:
            given["csrf_token"] = person.token()
        return self._sent(person, form.get("method", "get").upper(), form.get("action") or page.path, data=given)

    def _sent(self, person: Person, method: str, path: str, **options: Any) -> Page:
        person.address = f"198.51.{self.random.randrange(256)}.{self.random.randrange(256)}"
        person.page, self.sent = None, (method, path, options)
        base, environ = f"http://{HOST}", {"REMOTE_ADDR": person.address}
        response = person.client.open(path, method=method, base_url=base, environ_overrides=environ, **options)
        person.page = page = Page(response)
        return page


def test_ten_thousand_fuzzed_requests_cause_no_error_of_the_server(site: Site) -> None:
    seed = int(os.environ.get("FUZZ_SEED") or SystemRandom().randrange(2**32))
    ada = enroll(Owner(site))
    operator = enroll(Owner(site, "grace"))
    site.services.operators.roles.promote("grace")
    pending = ada.other_browser()
    pages = [route.path for route in routes(site) if route.layout == "desktop" and "static" not in route.path]
    machines = [r.rule for r in site.app.url_map.iter_rules() if not r.rule.startswith("/<") and "static" not in r.rule]
    fuzz = Fuzz(site, Random(seed), [Person(site.app), ada, operator, pending], sorted({*pages, *machines}))
    seen: Counter[int] = Counter()
    for number in range(REQUESTS):
        if number % 500 == 0:  # sessions end, and requests of the fuzz log out
            site.clock.pass_(86_400)
            site.services.delivery.deliver_due()
            ada.log_in_whole()
            operator.log_in_whole()
            pending.log_in()
        person = fuzz.random.choice(fuzz.people)
        kind: Callable[[Person], Page] = fuzz.random.choice((fuzz.raw, fuzz.form))
        page = kind(person)
        seen[page.status] += 1
        assert page.status < 500 or page.status == 503, f"FUZZ_SEED={seed}, request {number}: {fuzz.sent}"
    assert {200, 303, 400, 404, 405, 422} <= set(seen), "the requests reach pages, forms and refusals"
