"""The rules of log-ins on devices without a browser (RFC 8628)."""

from __future__ import annotations

from .rule import LOOK_AT_APP, Rule

AGAIN = "Let the person start again on the device."
DEVICES: dict[str, Rule] = {
    "device-allowed": Rule(
        "The app may be used on devices without a browser.",
        "RFC 6749 section 5.2",
        "Allow devices without a browser on the app's page.",
        ("This app may not be used on devices.", "The client is not authorized to use 'response_type=urn:ietf"),
    ),
    "device-missing": Rule(
        "The form has the device code.", "RFC 8628 section 3.4", LOOK_AT_APP, ("Missing 'device_code' in payload",)
    ),
    "device-unknown": Rule(
        "The device code was given to this app.",
        "RFC 8628 section 3.4",
        "Check that the device uses one client ID for both requests. " + AGAIN,
        ("The device code is not known.", "Invalid 'device_code' in payload"),
    ),
    "device-used": Rule(
        "A device code is used once.",
        "RFC 6749 section 4.1.2, for the codes of devices too",
        AGAIN,
        ("The device code was used before.",),
    ),
    "device-expired": Rule(
        "The person types the code of the device within ten minutes.",
        "RFC 8628 section 3.5, device_code_seconds in webapp/policy.py",
        AGAIN,
        errors=("expired_token",),
    ),
    "device-pending": Rule(
        "The person has typed the code of the device, and agreed.",
        "RFC 8628 section 3.5",
        "Nothing is wrong: the device has to ask again.",
        errors=("authorization_pending",),
    ),
    "device-slow": Rule(
        "The device waits between its requests as long as it was told, and five seconds more after each such error.",
        "RFC 8628 section 3.5",
        "Let the device obey interval and slow_down.",
        errors=("slow_down",),
    ),
}
