"""Apps that can send a username and a password only: they read no page, store no cookie and follow no link."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from tests.conftest import Site
from tests.people import HOST, Page, Person
from webapp.models.apps import AppSession

MAIL = "Thunderbird/115.4"


def basic(name: str, password: str) -> str:
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


class App:
    def __init__(self, site: Site, address: str = "198.51.100.7", agent: str = MAIL) -> None:
        self._site = site
        self._address = address
        self._agent = agent

    def send(self, method: str, path: str, **options: Any) -> Page:
        headers = {"User-Agent": self._agent, **options.pop("headers", {})}
        browser = Person(self._site.app, address=self._address)
        return browser.send(method, path, headers=headers, follow=False, **{"host": HOST, **options})

    def ask(self, authorization: str | None) -> Page:
        """Asks as a proxy in front of the app's server does."""
        headers = {} if authorization is None else {"Authorization": authorization}
        return self.send("GET", "/legacy/verify", headers=headers)

    def verify(self, name: str, password: str) -> Page:
        return self.ask(basic(name, password))

    def with_token(self, token: str) -> Page:
        return self.ask(f"Bearer {token}")

    def exchange(self, name: str, password: str, **more: str) -> Page:
        data = {"grant_type": "password", "username": name, "password": password, **more}
        return self.send("POST", "/legacy/token", data=data)

    def token(self, name: str, password: str) -> str:
        page = self.exchange(name, password)
        assert page.status == 200, page.text
        return str(page.response.get_json()["access_token"])


def live_apps(site: Site, name: str) -> Sequence[AppSession]:
    """The valid app sessions of an account."""
    mine = AppSession.account_id == site.services.accounts.named(name).id, site.services.app_sessions.live()
    with site.services.db.read() as tx:
        return tx.objects.scalars(select(AppSession).where(*mine).order_by(AppSession.id)).all()
