"""The first journey of a user: sign up, turn on an authentication app, log out, log in with a code."""

from __future__ import annotations

import pytest

from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, IPHONE, TWO_FACTOR, Owner


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID, IPHONE])
@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_a_new_user_signs_up_turns_on_an_app_and_logs_in_with_a_code(site: Site, layout: str, htmx: bool) -> None:
    ada = Owner(site, layout=layout, htmx=htmx)
    assert ada.sign_up().h1 == "Welcome, Ada Lovelace"
    assert ada.turn_on_app().h1 == "You're all set"
    assert len(ada.kept_code) == 19
    page = ada.press("Got it")
    assert page.path == TWO_FACTOR
    assert page.button("Authentication app")["aria-checked"] == "true"
    assert ada.log_out().h1 == "Log in"
    assert ada.log_in().h1 == "Enter your code"
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL has further statements for its locks
def test_a_whole_log_in_costs_thirteen_statements_and_the_log_in_page_none(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.log_out()
    ada.log_in_whole()  # the first log-in with a method stores it
    ada.log_out()
    site.statements.clear()
    ada.open("/log-in")
    assert site.statements == []
    ada.press("Log in", username=ada.username, password=ada.password)
    ada.press("Verify", code=ada.next_code())
    assert len(site.statements) <= 13, "\n\n".join(site.statements)
