"""Static files: their URLs and headers, what is joined and left out, and edits during development."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from whitenoise import WhiteNoise

from tests.conftest import Site
from tests.people import HOST
from webapp import create_app
from webapp.settings import ROOT, Settings
from webapp.web.assets import SOURCE, Assets, prepare

HOSTS = (HOST, f"mobile.{HOST}")
SCRIPTS = [path for path in sorted((ROOT / "static/js").glob("*.js")) if not path.name.endswith(".min.js")]
STYLESHEETS = sorted((ROOT / "static/css").rglob("*.css"))
LAYOUTS = ("desktop", "mobile")
OF_ONE_LAYOUT = {"mobile": ("logged-out.css",)}
"""The parts that a layout does not import."""


def address(site: Site, name: str) -> str:
    assets: Assets = site.app.extensions["assets"]
    return assets.url(name)


def get(site: Site, path: str, host: str = HOST, **options: Any) -> Any:
    with site.app.test_client() as client, client.get(path, base_url=f"http://{host}", **options) as response:
        response.get_data()
        return response


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("name", "mimetype"),
    [
        ("css/desktop.css", "text/css"),
        ("js/site.js", "text/javascript"),
        ("icons/icon.svg", "image/svg+xml"),
        ("icons/icon-192.png", "image/png"),
    ],
)
def test_a_file_may_be_cached_for_a_year_and_embedded_by_this_site_only(
    site: Site, host: str, name: str, mimetype: str
) -> None:
    response = get(site, address(site, name), host)
    assert (response.status_code, response.mimetype) == (200, mimetype)
    headers = response.headers
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
    assert "Set-Cookie" not in headers
    assert "Cookie" not in headers.get("Vary", "")
    assert "Strict-Transport-Security" not in headers
    assert not {"ETag", "Last-Modified"} & set(headers.keys()), "bytes for nothing: the address identifies the file"


def test_over_https_a_file_has_strict_transport_security(site: Site, tmp_path: Path) -> None:
    environ = {
        "NIGHTLATCH_SERVER_NAME": "login.example.org",
        "NIGHTLATCH_DATABASE_URL": site.services.settings.database_url,
        "NIGHTLATCH_SECRET_KEY": "0123456789abcdef" * 4,
        "NIGHTLATCH_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    }
    app = create_app(Settings.read(environ, tmp_path / "other"), clock=site.clock)
    path = app.extensions["assets"].url("icons/icon-192.png")
    with app.test_client() as client, client.get(path, base_url="https://login.example.org") as response:
        assert response.status_code == 200
        assert response.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


def test_text_is_compressed_for_browsers_that_accept_it(site: Site) -> None:
    path = address(site, "css/mobile.css")
    plain, zipped = get(site, path), get(site, path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(zipped.data) == plain.data
    assert len(zipped.data) < len(plain.data) / 4
    smaller = get(site, path, headers={"Accept-Encoding": "gzip, br"})
    assert smaller.headers["Content-Encoding"] == "br"
    assert len(smaller.data) < 0.9 * len(zipped.data)


def test_an_outdated_version_is_answered_with_the_present_file_without_caching(site: Site) -> None:
    present, other = get(site, address(site, "js/site.js")), get(site, "/static/0123456789ab/js/site.js")
    assert other.status_code == 200
    assert other.data == present.data
    assert other.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.css", "css", "../wsgi.py", "..%2f..%2fwsgi.py", "css/parts/key.css", ""])
def test_any_other_file_is_not_found(site: Site, name: str) -> None:
    assert get(site, address(site, name)).status_code == 404
    assert get(site, f"/static/0123456789ab/{name}").status_code == 404


def test_a_file_can_only_be_read(site: Site) -> None:
    with site.app.test_client() as client:
        for method in ("POST", "PUT", "DELETE"):
            response = client.open(address(site, "js/site.js"), method=method, base_url=f"http://{HOST}")
            assert response.status_code == 405


# -- Preparing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_has_one_stylesheet_for_every_page_and_one_for_pages_with_a_user(layout: str) -> None:
    files = prepare(SOURCE)
    sheets = {f"css/{name}{part}.css" for name in LAYOUTS for part in ("", "-account")} | {"css/guarded.css"}
    assert {name for name in files if name.endswith(".css")} == sheets
    first, second = (files[f"css/{layout}{part}.css"].decode() for part in ("", "-account"))
    for text in (first, second):
        assert "@import" not in text
        assert "/*" not in text
    others = {f"{name}{part}.css" for name in LAYOUTS if name != layout for part in ("", "-account")} | {"guarded.css"}
    for path in STYLESHEETS:
        rules = [line.strip() for line in path.read_text().splitlines() if "{ " in line and "; }" in line]
        is_other = (path.parent.name == "css" and path.name in others) or path.name in OF_ONE_LAYOUT.get(layout, ())
        if not is_other:
            assert all(rule in first + second for rule in rules), f"{path.name} is imported by no stylesheet"
    assert first.index("@layer reset, tokens, base, parts, layout;") == 0


def test_scripts_stay_modules_that_import_each_other_by_relative_paths() -> None:
    files, imports = prepare(SOURCE), []
    for path in SCRIPTS:
        text = files[f"js/{path.name}"].decode()
        assert [line for line in text.splitlines() if line.lstrip().startswith("//")] == []
        imports += re.findall(r'^import .* from "(.*)";$', text, re.MULTILINE)
    assert imports
    assert all(name.startswith("./") and f"js/{name[2:]}" in files for name in imports)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_has_a_multi_line_string_that_preparing_would_change(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if line.count("`") % 2] == []


def test_a_library_is_served_unchanged() -> None:
    files = prepare(SOURCE)
    (library,) = (name for name in files if name.endswith(".min.js"))
    assert files[library] == (SOURCE / library).read_bytes()


# -- Publishing ------------------------------------------------------------------------------------


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    source = tmp_path / "static"
    (source / "css").mkdir(parents=True)
    (source / "css/part.css").write_text("a { color: red; }\n")
    (source / "css/all.css").write_text('@import "part.css";\n')
    return Assets(source, tmp_path / "prepared", WhiteNoise(Flask(__name__).wsgi_app))


def test_an_edited_file_has_a_new_url_and_an_unchanged_one_the_same(assets: Assets, tmp_path: Path) -> None:
    assets.publish()
    first = assets.url("css/all.css")
    assert (assets.folder / "css/all.css").read_text() == "a { color: red; }"
    part = tmp_path / "static/css/part.css"
    part.write_text("a { color: blue; }\n")
    assets.publish()
    second = assets.url("css/all.css")
    assert second != first
    assert (assets.folder / "css/all.css").read_text() == "a { color: blue; }"
    part.write_text("a { color: red; }\n")
    assets.publish()
    assert assets.url("css/all.css") == first


def test_processes_that_start_at_once_share_one_folder(assets: Assets, tmp_path: Path) -> None:
    assets.publish()
    other = Assets(tmp_path / "static", tmp_path / "prepared", WhiteNoise(Flask(__name__).wsgi_app))
    inode = assets.folder.stat().st_ino
    other.publish()
    assert other.folder.stat().st_ino == inode
    assert [path.name for path in (tmp_path / "prepared").iterdir()] == [assets.version]


@pytest.mark.parametrize("sheet", STYLESHEETS, ids=lambda sheet: sheet.name)
def test_no_shorthand_of_a_text_decoration_carries_a_thickness(sheet: Path) -> None:
    """Safari's engine refuses the whole declaration, and the line is missing."""
    for value in re.findall(r"text-decoration:\s*([^;}]+)", sheet.read_text()):
        assert not re.search(r"\d|from-font", value), f"text-decoration: {value}"


@pytest.mark.parametrize("sheet", STYLESHEETS, ids=lambda sheet: sheet.name)
def test_no_style_slants_letters_or_changes_their_case(sheet: Path) -> None:
    """Few scripts have italics, and capitals depend on the language: only codes are shown in capitals."""
    text = sheet.read_text()
    assert "italic" not in text
    assert "oblique" not in text
    for selector in re.findall(r"([^{}]+)\{[^{}]*text-transform", text):
        assert selector.strip() == '.field > [data-code="wide"]'


@pytest.mark.parametrize("sheet", STYLESHEETS, ids=lambda sheet: sheet.name)
def test_each_lang_names_one_language(sheet: Path) -> None:
    """Chromium drops a rule whose `:lang()` has a list, which Selectors 4 allows."""
    assert not re.search(r":lang\([^)]*,", sheet.read_text())
