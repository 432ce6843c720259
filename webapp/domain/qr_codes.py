"""Draws QR codes (ISO/IEC 18004) as SVG, black on white with the border of four modules that readers need."""

from __future__ import annotations

import segno

MODULE_PIXELS = 6


def qr_code(text: str) -> str:
    """The text as an `<svg>` element."""
    drawing = segno.make(text, error="m", micro=False)
    svg: str = drawing.svg_inline(
        scale=MODULE_PIXELS, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr"
    )
    return svg
