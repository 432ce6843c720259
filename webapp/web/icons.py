"""Line icons in a square of 24 x 24. They are hidden from screen readers, because a label stands beside each.

Templates write `{{ "home"|icon }}`: Jinja applies a filter to a constant once, when it compiles the template. A page
has a dozen icons, and a macro took a twentieth of its time.
"""

from __future__ import annotations

from markupsafe import Markup

PATHS = {
    "home": "M4 11.5 12 4l8 7.5M6 10v10h4.5v-5.5h3V20H18V10",
    "more": "M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M8 12h.01M12 12h.01M16 12h.01",
    "settings": "M4 7h9M19 7h1M4 17h1M11 17h9M13 7a3 3 0 1 0 6 0 3 3 0 1 0-6 0M5 17a3 3 0 1 0 6 0 3 3 0 1 0-6 0",
    "passkey": (
        "M7 19c1.5-2.5 1.5-4.5 1.5-7a3.5 3.5 0 0 1 7 0c0 1.5 0 3.5-.5 5.5M12 12c0 3.5-.3 6-1.5 8.5"
        "M5 15.5c.4-1.2.5-2.2.5-3.5a6.5 6.5 0 0 1 13 0c0 1.3 0 2.3-.2 3.5"
    ),
    "clock": "M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M12 7.5V12l3 2",
    "denied": "M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M9 9l6 6M15 9l-6 6",
    "lock": (
        "M6.5 10.5h11A1.5 1.5 0 0 1 19 12v7a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 5 19v-7a1.5 1.5 0 0 1 1.5-1.5"
        "M8 10.5V8a4 4 0 0 1 8 0v2.5"
    ),
    "mail": (
        "M4.5 5.5h15A1.5 1.5 0 0 1 21 7v10a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17V7a1.5 1.5 0 0 1 1.5-1.5"
        "M3.5 6.5 12 13l8.5-6.5"
    ),
    "codes": "M12 3.5a8.5 8.5 0 1 0 8.5 8.5M12 7.5V12l3 2M16.5 4.7l.01 0M19.3 7.5h.01",
    "leave": "M14 4H6v16h8M10 12h10M16.5 8.5 20 12l-3.5 3.5",
    "person": "M8 8.5a4 4 0 1 0 8 0 4 4 0 1 0-8 0M4.5 20.5c.8-4 3.8-6 7.5-6s6.7 2 7.5 6",
    "close": "M6 6l12 12M18 6 6 18",
    "check": "M5 12.5 10 17.5 19 7",
    "alert": "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17h.01",
    "phone": (
        "M8 3h8a1.5 1.5 0 0 1 1.5 1.5v15A1.5 1.5 0 0 1 16 21H8a1.5 1.5 0 0 1-1.5-1.5v-15A1.5 1.5 0 0 1 8 3M11 17.5h2"
    ),
    "key": "M4 12a4 4 0 1 0 8 0 4 4 0 1 0-8 0M12 12h9M17 12v3.5M20.5 12v2.5",
    "message": (
        "M5.5 5h13A1.5 1.5 0 0 1 20 6.5v8.5a1.5 1.5 0 0 1-1.5 1.5H11L6.5 20.5v-4h-1"
        "A1.5 1.5 0 0 1 4 15V6.5A1.5 1.5 0 0 1 5.5 5M8 9h8M8 12.5h5"
    ),
    "bell": "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 20.5h4",
    "paper": (
        "M4.5 6h15A1.5 1.5 0 0 1 21 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 16.5v-9A1.5 1.5 0 0 1 4.5 6"
        "M7 10h.01M10.5 10h.01M14 10h.01M17 10h.01M7 14h6"
    ),
    "open": "M7.5 12a4.5 4.5 0 1 0 9 0 4.5 4.5 0 1 0-9 0",
    "laptop": "M5.5 5h13A1.5 1.5 0 0 1 20 6.5V15H4V6.5A1.5 1.5 0 0 1 5.5 5M2.5 18.5h19",
    "screen": (
        "M4.5 4h15A1.5 1.5 0 0 1 21 5.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 14.5v-9A1.5 1.5 0 0 1 4.5 4"
        "M9 20h6M12 16v4"
    ),
    "tablet": (
        "M6.5 3h11A1.5 1.5 0 0 1 19 4.5v15a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 5 19.5v-15A1.5 1.5 0 0 1 6.5 3"
        "M11.5 18h1"
    ),
    "app": "M4.5 4.5h6v6h-6zM13.5 4.5h6v6h-6zM4.5 13.5h6v6h-6zM13.5 13.5h6v6h-6z",
    "stick": "M8 9.5h8v9a2 2 0 0 1-2 2h-4a2 2 0 0 1-2-2zM9.5 9.5v-6h5v6M11.5 6h1M12 13.5v3",
    "enter": "M10 4h8v16h-8M4 12h10M10.5 8.5 14 12l-3.5 3.5",
    "turn": "M6.5 9.5 12 15l5.5-5.5",
    "back": "M14.5 6 8.5 12l6 6",
}
"""The `d` attribute of each icon's path (SVG 2, section 9.3)."""
ATTRIBUTES = {
    "turn": ' class="icon turn"',
    "leave": ' class="icon" data-turns',
    "enter": ' class="icon" data-turns',
    "back": ' class="icon" data-turns',
    "open": ' class="icon" data-open',
}
"""What differs from other icons: `data-turns` is mirrored from right to left."""


def _drawn(name: str, path: str) -> Markup:
    attributes = ATTRIBUTES.get(name, ' class="icon"')
    return Markup(  # noqa: S704  # all of it is from this module
        f'<svg{attributes} aria-hidden="true" viewBox="0 0 24 24" width="24" height="24"><path d="{path}"/></svg>'
    )


DRAWN = {name: _drawn(name, path) for name, path in PATHS.items()}


def icon(name: str) -> Markup:
    """The SVG element. Raises `KeyError` for an unknown name, so that no page lacks an icon unnoticed."""
    return DRAWN[name]
