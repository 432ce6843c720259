"""The configuration of a reverse proxy in front of a guarded host, as one text that is ready to be used."""

from __future__ import annotations

from ...services.core import Core
from ..operators.apps import StoredApp

PROXIES = ("nginx", "caddy", "traefik", "envoy", "apache")
"""Those that a configuration is shipped for; `apache` logs in by OpenID Connect with mod_auth_openidc."""


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
    address of the main host. `upstream` is where the application listens, and `listen` where the proxy does; without it,
    every address at the port of the host. Raises `ValueError` with a sentence for an address that cannot be one.
    """
    raise NotImplementedError
