"""Static files: prepared in the instance folder at start, then served by WhiteNoise.

Their URLs contain a hash of the content of all files, so browsers may cache them for a year, and relative imports of
JavaScript modules stay within one version. Preparing a file must never change what it does: stylesheets are put in
place of their imports, comment lines and indentation are removed, and a compressed file is written beside it.
docs/decisions/static-files.md gives the reasons and measurements.
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from wsgiref.headers import Headers

from flask import Blueprint, Flask, current_app, send_from_directory
from whitenoise import WhiteNoise
from whitenoise.compress import Compressor

from ..settings import ROOT
from . import headers

bp = Blueprint("assets", __name__)
SOURCE = ROOT / "static"
IMPORT = re.compile(r'^@import "([^"]+)";$', re.MULTILINE)
COMMENT = re.compile(r"//.*|/\*.*\*/")
ONE_YEAR = "public, max-age=31536000, immutable"


class Assets:
    """The prepared static files and their URLs."""

    def __init__(self, source: Path, prepared: Path, whitenoise: WhiteNoise) -> None:
        self._source = source
        self._prepared = prepared
        self._whitenoise = whitenoise
        self.version = ""

    @property
    def folder(self) -> Path:
        return self._prepared / self.version

    def url(self, name: str) -> str:
        """The path of a static file, without a host: each page loads files from its own host."""
        return f"/static/{self.version}/{name}"

    def publish(self) -> None:
        """Prepares the files and serves them, if they changed. `make run` calls it before each request."""
        files = prepare(self._source)
        digest = sha256()
        for name, content in sorted(files.items()):
            digest.update(name.encode() + b"\0" + content + b"\0")
        version = digest.hexdigest()[:12]
        if version != self.version:
            self.version = version
            _write(files, self.folder)
            self._whitenoise.add_files(str(self.folder), f"static/{version}")


def prepare(source: Path) -> dict[str, bytes]:
    """The prepared content of each file by its relative path, without stylesheets that another one imports."""
    files = {path.relative_to(source).as_posix(): path for path in source.rglob("*") if path.is_file()}
    stylesheets = [path for path in files.values() if path.suffix == ".css"]
    imported = {
        (path.parent / name).resolve() for path in stylesheets for name in IMPORT.findall(path.read_text("utf-8"))
    }
    return {name: _content(path) for name, path in files.items() if path.resolve() not in imported}


def _content(path: Path) -> bytes:
    if path.suffix == ".css":
        return _without_comments(_with_imports(path))
    if path.suffix == ".js" and not path.name.endswith(".min.js"):
        return _without_comments(path.read_text("utf-8"))
    return path.read_bytes()


def _with_imports(path: Path) -> str:
    return IMPORT.sub(lambda found: _with_imports(path.parent / found[1]), path.read_text("utf-8"))


def _without_comments(text: str) -> bytes:
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not COMMENT.fullmatch(line)).encode()


def _write(files: dict[str, bytes], folder: Path) -> None:
    """Writes the files and compressed ones. A complete folder is renamed into place: other processes may serve it."""
    if folder.is_dir():
        return
    compressor = Compressor(quiet=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / "files"
        for name, content in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (0, 0))  # then WhiteNoise sends no Last-Modified and ETag: the URL identifies the file
            if compressor.should_compress(name):
                compressor.compress(str(path))
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process has created it
                raise


def install(app: Flask, instance: Path) -> None:
    sent = (*headers.ALL, *([headers.HTTPS_ONLY] if app.config["SESSION_COOKIE_SECURE"] else []))

    def add_headers(of_file: Headers, _path: str, _url: str) -> None:
        of_file["Cache-Control"] = ONE_YEAR
        for name, value in sent:
            of_file[name] = value

    whitenoise = WhiteNoise(app.wsgi_app, max_age=None, allow_all_origins=False, add_headers_function=add_headers)
    app.wsgi_app = whitenoise  # type: ignore[method-assign]  # as WhiteNoise's documentation shows it
    app.extensions["assets"] = assets = Assets(SOURCE, instance / "static", whitenoise)
    assets.publish()


def url(name: str) -> str:
    return current_assets().url(name)


def current_assets() -> Assets:
    found: Assets = current_app.extensions["assets"]
    return found


@bp.get("/static/<version>/<path:name>")
def static(version: str, name: str) -> Any:  # noqa: ARG001  # WhiteNoise serves the current version
    """The current file, for a URL of another version: during an update, processes of two versions answer requests."""
    return send_from_directory(current_assets().folder, name)
