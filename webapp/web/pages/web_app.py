"""What makes the site an app on a phone: manifest, service worker, and the page for when there is no network."""

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
    told = {
        "id": "/",
        "name": current.services().settings.site_name,
        "short_name": current.services().settings.site_name[:12],
        "lang": spoken().code.replace("_", "-"),
        "dir": spoken().direction,
        "start_url": layouts.to("home.home"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#F4F6F6",
        "theme_color": "#0A5A52",
        "icons": [
            {"src": assets.url(name), "sizes": sizes, "type": "image/png", "purpose": purpose}
            for name, sizes, purpose in ICONS
        ],
        "shortcuts": [
            {"name": str(method.requests_title), "url": layouts.to("requests.listed", method=method.slug)}
            for method in methods
        ],
    }
    return Response(json.dumps(told, ensure_ascii=False), mimetype="application/manifest+json")


@bp.get("/service-worker.js")
def service_worker() -> Any:
    """Another one whenever a static file is: it says which, and then fetches the offline page anew."""
    found = assets.present()
    body = f'const VERSION = "{found.version}";\n'.encode() + found.files["js/service-worker.js"].body
    return Response(body, mimetype="text/javascript")


@bp.get("/offline")
def offline() -> Any:
    """The only page that a browser may keep: it knows nobody."""
    return render_template("web_app/offline.html", stylesheet=assets.url(f"css/{layouts.current()}.css"))
