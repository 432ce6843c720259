"""The configuration of a reverse proxy in front of a guarded host, as one text that is ready to be used.

The texts are in deploy/guarded/. They hold the secret of the host, so they are printed for the operator only.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...domain.app_addresses import DEVELOPMENT, OWN_PORTS
from ...models.registered_apps import GUARDED, app_secret_bound
from ...settings import ROOT
from ..core import Core
from ..operators.apps import StoredApp

PROXIES = ("nginx", "caddy", "traefik", "envoy", "apache")
"""Those that a configuration is shipped for; `apache` logs in by OpenID Connect with mod_auth_openidc."""
IDENTITY = ("Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "Nightlatch-Assertion")
"""The headers of an answer that say who it is. Only Nightlatch may set them."""
SPELLINGS = tuple(name.replace("-", separator) for name in IDENTITY for separator in "-_.")
"""Each of them as applications may read it: CGI and WSGI take `_` for `-` (RFC 3875 section 4.1.18), PHP also `.`."""
REWRITING = (
    *("X-Original-URL", "X-Original-Method", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Method"),
    *("X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-Ssl"),
)
"""Headers by which some frameworks take another path, method, port or scheme than that of the request line."""
REPLACED_BY_TRAEFIK = ("X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-IP")
"""Those that Traefik drops or writes itself for a client that it does not trust."""
CONNECTION_OPTIONS = "remote[-_.]|nightlatch[-_.]|x-forwarded|x-original"
"""What no `Connection` header may name, because a proxy drops the headers that it names (RFC 9110 section 7.6.1)."""
PAGES = ("start", "back", "log-out", "forbidden", "style.css")
"""The pages of Nightlatch at a guarded host, and their style sheet, below /.nightlatch/."""
TIME_OUT = 5
"""Seconds for Nightlatch to answer; a request without an answer is refused."""
TUNNEL = 600
"""Seconds after which a WebSocket is closed, where the proxy can: the lifetime of an access token."""
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  # where Nightlatch listens, and where it is called
ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")

_texts = Environment(
    loader=FileSystemLoader(ROOT / "deploy" / "guarded"),
    autoescape=False,  # noqa: S701  # no HTML; each value is checked below, when the app is registered, or drawn
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def configuration(
    proxy: str,
    stored: StoredApp,
    core: Core,
    *,
    bind: str,
    main_url: str,
    upstream: str = "http://127.0.0.1:8080",
    listen: str = "",
) -> str:
    """The whole configuration for this proxy, one of `PROXIES`. Only the newest secret of the app is in it.

    `stored` is a guarded host, or, for Apache, a web application too. `bind` is NIGHTLATCH_BIND and `main_url` the
    address of the main host. `upstream` is where the application listens, and `listen` where the proxy does: without
    it, on every address at the port of the host. Raises `ValueError` with a sentence for an address that cannot be one.
    """
    app = stored.app
    if proxy not in PROXIES or (proxy != "apache" and app.kind != GUARDED):
        raise ValueError("A configuration of this proxy is for a guarded host only.")
    host = app.host or urlsplit((app.redirect_uris or [main_url])[0]).netloc
    name, _, port = host.partition(":")
    scheme = "http" if name.endswith(DEVELOPMENT) else "https"
    address, at = parsed_address(listen or f":{port or OWN_PORTS[scheme]}")
    nightlatch, nightlatch_port = parsed_address(bind)
    target, target_port = _upstream(upstream)
    return _texts.get_template(proxy).render(
        host=host,
        name=name,
        scheme=scheme,
        secure=scheme == "https",
        address=address,
        port=at,
        nightlatch=ANY_ADDRESS.get(nightlatch, nightlatch),
        nightlatch_port=nightlatch_port,
        upstream=target,
        upstream_port=target_port,
        main_url=main_url,
        client_id=app.client_id,
        redirect_uri=next(iter(app.redirect_uris or ()), f"{scheme}://{host}/openid/back"),
        registered=app.kind != GUARDED,
        secret=_secret(core, stored) if proxy != "apache" else "",
        authorization=app.authorization_allowed,
        identity=IDENTITY,
        spellings=SPELLINGS,
        rewriting=REWRITING,
        replaced_by_traefik=REPLACED_BY_TRAEFIK,
        connection_options=CONNECTION_OPTIONS,
        pages=PAGES,
        seconds=TIME_OUT,
        tunnel=TUNNEL,
    )


def _secret(core: Core, stored: StoredApp) -> str:
    sealed = stored.secrets[-1].sealed
    assert sealed is not None, "the secret of a guarded host is sealed"
    return core.keyring.open(sealed, app_secret_bound(stored.app.id))


def parsed_address(text: str) -> tuple[str, int]:
    """Address or name, empty for every address, and port. Raises `ValueError` with a sentence."""
    found = ADDRESS.fullmatch(text if ":" in text else f":{text}")
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ValueError("Give an address with a port, such as 127.0.0.1:8443 or :443.")
    return found["host"], int(found["port"])


def _upstream(text: str) -> tuple[str, int]:
    """Host and port of the application. Raises `ValueError`."""
    found = re.fullmatch(rf"http://(?P<address>{ADDRESS.pattern})/?", text)
    if found is None or not found["host"]:
        raise ValueError("Give the address of the application with its port, such as http://127.0.0.1:8080.")
    return parsed_address(found["address"])
