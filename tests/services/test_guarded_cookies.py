"""The cookies that an application behind a proxy gets."""

from __future__ import annotations

import pytest

from webapp.services.guarded.cookies import cookies_for_app

NAME = "__Host-Http-nightlatch"


@pytest.mark.parametrize(
    ("header", "left"),
    [
        ("", ""),
        (f"{NAME}=x", ""),
        (f"a=1; {NAME}=x; b=2", "a=1; b=2"),
        (f"{NAME}=x; {NAME}-start-abc=y; a=1", "a=1"),
        (f"a=1;{NAME}=x;{NAME}=y", "a=1"),
        (f"a=1,{NAME}=x", "a=1"),
        (f"a=1; {NAME} =x; {NAME}", "a=1"),
        (f"a={NAME}=x", f"a={NAME}=x"),
        (f"my{NAME}=1; {NAME}2=1; {NAME}-started=1", f"my{NAME}=1; {NAME}2=1; {NAME}-started=1"),
        ('a="x y"; b=c=d', 'a="x y"; b=c=d'),
    ],
)
def test_the_cookies_of_nightlatch_are_taken_out(header: str, left: str) -> None:
    assert cookies_for_app(header, NAME) == left
