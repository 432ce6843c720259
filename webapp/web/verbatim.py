"""What is the same in every language, such as a username or an address, for use inside a sentence of a page."""

from __future__ import annotations

from markupsafe import Markup


def verbatim(text: str) -> Markup:
    """`text` in an element that is read left to right and not translated."""
    return Markup('<bdi dir="ltr" translate="no">{}</bdi>').format(text)
