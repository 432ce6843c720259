"""The installable web app: manifest, service worker and offline page."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, render_template

from ...domain.language import spoken
from .. import assets, current, layouts

bp = Blueprint("web_app", __name__)
ICONS = [
    (f"icons/{name}-{size}.png", f"{size}x{size}", purpose)
    for name, purpose in (("icon", "any"), ("maskable", "maskable"))
    for size in (192, 512)
]


@bp.get("/manifest.webmanifest")
def manifest() -> Any:
    methods = current.services().methods.out_of_band
    content = {
        "id": "/",
        "name": current.services().settings.site_name,
        "short_name": current.services().settings.site_name[:12],
        "lang": spoken().code.replace("_", "-"),
        "dir": spoken().direction,
        "start_url": layouts.page_url("home.home"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#F4F6F6",
        "theme_color": "#0A5A52",
        "icons": [
            {"src": assets.url(name), "sizes": sizes, "type": "image/png", "purpose": purpose}
            for name, sizes, purpose in ICONS
        ],
        "shortcuts": [
            {"name": str(method.requests_title), "url": layouts.page_url("requests.listed", method=method.slug)}
            for method in methods
        ],
    }
    return Response(json.dumps(content, ensure_ascii=False), mimetype="application/manifest+json")


@bp.get("/service-worker.js")
def service_worker() -> Any:
    """Starts with the version of the static files: when one changes, browsers install the worker and the page again."""
    found = assets.current_assets()
    script = (found.folder / "js/service-worker.js").read_text("utf-8")
    return Response(f'const VERSION = "{found.version}";\n{script}', mimetype="text/javascript")


@bp.get("/offline")
def offline() -> Any:
    """The only page that a browser may store, so it must never show anything about an account."""
    return render_template("web_app/offline.html", stylesheet=assets.url(f"css/{layouts.current()}.css"))
