"""Static files, without a build: read at start, addressed by a hash of their content, kept a year by browsers.

`css/site.css` is the concatenation of the layer files, so that a first visit asks for few files.
"""

from __future__ import annotations

import gzip
import mimetypes
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, g, request

bp = Blueprint("assets", __name__)
SITE_CSS = "css/site.css"
LAYERS = ("css/reset.css", "css/tokens.css", "css/base.css")
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
        bodies[SITE_CSS] = b"\n".join(bodies[name] for name in parts if name in bodies)
        digest = sha256()
        for name, body in sorted(bodies.items()):
            digest.update(name.encode() + b"\0" + body + b"\0")
        return cls(digest.hexdigest()[:12], {name: _asset(name, body) for name, body in bodies.items()})


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
