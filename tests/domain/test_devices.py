"""What the User-Agent header tells of a device."""

from __future__ import annotations

import pytest

from tests.people import AGENTS, ANDROID, DESKTOP, IPHONE
from webapp.domain.devices import form

IPAD = "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 Version/12.1 Safari/604.1"
ANDROID_TABLET = "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "drawn"),
    [
        (AGENTS[ANDROID], "phone"),
        (AGENTS[IPHONE], "phone"),
        (IPAD, "tablet"),
        (ANDROID_TABLET, "tablet"),
        (AGENTS[DESKTOP], "laptop"),
        ("", "laptop"),
    ],
)
def test_a_device_is_drawn_as_what_it_is(agent: str, drawn: str) -> None:
    assert form(agent) == drawn
