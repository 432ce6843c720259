"""Static files, without a build: read at start, addressed by a hash of their content, kept a year by browsers.

A first visit asks for few of them, and small ones: `js/site.js` is all our scripts in one, a layout's stylesheet holds
the layers and parts that it builds on, and both go out without the comments and indentation that are for us.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, g, request

bp = Blueprint("assets", __name__)
LAYERS = ("css/reset.css", "css/tokens.css", "css/base.css")
SITE_JS = "js/site.js"
SCRIPTS = ("js/ceremony.js", "js/app.js")
COMMENT = re.compile(rb"//.*|/\*.*\*/")
COMPRESSED = (".css", ".js", ".svg", ".txt")
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    zipped: bytes | None
    mimetype: str


@dataclass(frozen=True, slots=True)
class Assets:
    version: str
    files: dict[str, Asset]

    @classmethod
    def read(cls, folder: Path) -> Assets:
        bodies = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        parts = [*LAYERS, *(name for name in bodies if name.startswith("css/parts/"))]
        layouts = [name for name in bodies if name.count("/") == 1 and name.endswith(".css") and name not in LAYERS]
        bodies |= {name: _joined(bodies[part] for part in [*parts, name]) for name in layouts}
        bodies[SITE_JS] = _joined(bodies[name] for name in SCRIPTS)
        digest = sha256()
        for name, body in sorted(bodies.items()):
            digest.update(name.encode() + b"\0" + body + b"\0")
        return cls(digest.hexdigest()[:12], {name: _asset(name, body) for name, body in bodies.items()})


def _joined(bodies: Iterable[bytes]) -> bytes:
    lines = (line.strip() for body in bodies for line in body.splitlines())
    return b"\n".join(line for line in lines if line and not COMMENT.fullmatch(line))


def _asset(name: str, body: bytes) -> Asset:
    zipped = gzip.compress(body, 9, mtime=0) if name.endswith(COMPRESSED) else None
    return Asset(body, zipped, mimetypes.guess_type(name)[0] or "application/octet-stream")


def install(app: Flask, folder: Path) -> None:
    app.extensions["assets"] = Assets.read(folder)


def url(name: str) -> str:
    """The same path at both hosts, so that a page's own origin serves it."""
    assets = present()
    return f"/static/{assets.version}/{name}"


def present() -> Assets:
    found: Assets = current_app.extensions["assets"]
    return found


@bp.get("/static/<version>/<path:name>")
def static(version: str, name: str) -> Response:
    asset = present().files.get(name)
    if asset is None:
        abort(404)
    g.is_static = True
    zip_it = asset.zipped is not None and request.accept_encodings.quality("gzip") > 0
    response = Response(asset.zipped if zip_it else asset.body, mimetype=asset.mimetype)
    if zip_it:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = FOREVER if version == present().version else "no-cache"
    return response
