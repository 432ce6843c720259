"""The cookies that an application behind a proxy gets: all but those of Nightlatch.

No proxy but Caddy can take one cookie out of a header by its configuration alone, so the answer to the proxy has the
`Cookie` header for the application, and each shipped configuration copies it.
"""

from __future__ import annotations

import re

SEPARATORS = " ;,"
"""The web server joins two Cookie headers by a comma (RFC 9110 section 5.3), cookies are separated by a semicolon."""


def cookies_for_app(header: str, name: str) -> str:
    """The Cookie header without the host's cookie `name` and its start cookies, `name`-start-...; empty for none."""
    ours = rf"(?:^|[;,])[ \t]*{re.escape(name)}(?:-start-[^=;,]*)?[ \t]*(?:=[^;,]*|(?=[;,]|$))"
    return re.sub(ours, "", header).strip(SEPARATORS)
