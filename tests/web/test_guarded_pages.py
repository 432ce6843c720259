"""The pages of Nightlatch at a guarded host: their style sheet, and the pages about errors."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import text

from tests.conftest import Site, one_database
from tests.doubles import CheapHasher
from tests.guarded_host import GuardedHost
from tests.people import Page, Person
from webapp.web.assets import SOURCE, prepare

pytestmark = one_database
STYLE = "/.nightlatch/style.css"


@pytest.fixture
def overrides() -> dict[str, Any]:
    return {"hasher": CheapHasher()}


@pytest.fixture
def wiki(site: Site) -> GuardedHost:
    return GuardedHost(site)


@pytest.fixture
def person(site: Site) -> Person:
    return Person(site.app)


def style_of(page: Page) -> str:
    found = re.search(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def test_browsers_keep_the_style_sheet_that_a_page_names(site: Site, person: Person, wiki: GuardedHost) -> None:
    named = style_of(person.open(f"{wiki.url}/.nightlatch/log-out"))
    assert named.startswith(f"{STYLE}?v=")
    response = site.app.test_client().get(named, base_url=wiki.url)
    assert (response.status_code, response.mimetype) == (200, "text/css")
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.data == prepare(SOURCE)["css/guarded.css"]
    assert b"@import" not in response.data
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789ab"])
def test_the_style_sheet_of_another_version_is_not_kept(site: Site, wiki: GuardedHost, query: str) -> None:
    response = site.app.test_client().get(f"{STYLE}{query}", base_url=wiki.url)
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-cache")
    assert "ETag" not in response.headers


def test_a_page_about_an_unavailable_database_has_its_style(site: Site, person: Person, wiki: GuardedHost) -> None:
    with site.services.db.write() as tx:
        tx.execute(text("ALTER TABLE registered_apps RENAME TO gone"))
    try:
        failed = person.open(f"{wiki.url}/.nightlatch/log-out")
        checked = wiki.check(person, proxy="caddy")
        style = site.app.test_client().get(style_of(failed), base_url=wiki.url)
    finally:
        with site.services.db.write() as tx:
            tx.execute(text("ALTER TABLE gone RENAME TO registered_apps"))
    for page in (failed, checked):
        assert (page.status, page.h1) == (503, "Not available right now")
        assert f"style-src {wiki.url}{STYLE};" in page.response.headers["Content-Security-Policy"]
    assert style.status_code == 200


@pytest.mark.parametrize("host", ["", "wiki.localhost;script-src *", "[::1]"])
def test_a_name_that_no_host_has_is_in_no_header(person: Person, wiki: GuardedHost, host: str) -> None:
    page = wiki.check(person, proxy="caddy", headers={"X-Forwarded-Host": host})
    assert page.status == 404
    policy = page.response.headers["Content-Security-Policy"]
    assert "script-src" not in policy
    assert ("style-src 'none'" in policy) == ("<link" not in page.text)
