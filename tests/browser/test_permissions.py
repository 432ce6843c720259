"""What the browser leaves a page of the site to do."""

from __future__ import annotations

from tests.browser.conftest import Visits

NEEDED = {"publickey-credentials-get", "publickey-credentials-create", "otp-credentials", "clipboard-write"}
REFUSED = {
    *("camera", "microphone", "geolocation", "payment", "usb", "clipboard-read", "local-fonts", "storage-access"),
    *("identity-credentials-get", "window-management", "gamepad", "keyboard-map", "sync-xhr", "compute-pressure"),
}


def test_a_script_that_got_into_a_page_may_read_neither_clipboard_nor_fonts(visit: Visits) -> None:
    """Chromium's own answer; what a browser does not know it cannot allow."""
    visitor = visit()
    visitor.open("/log-in")
    known = set(visitor.page.evaluate("document.featurePolicy.features()"))
    allowed = set(visitor.page.evaluate("document.featurePolicy.allowedFeatures()"))
    assert len(known & REFUSED) > 10, "Chromium knows most of them"
    assert allowed & (NEEDED | REFUSED) == known & NEEDED
