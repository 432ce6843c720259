"""Named people who use the site as a browser would: they read headings, fill in labelled fields, press buttons.

A `Person` keeps cookies, follows redirects and sends what the form on the page sends, token included. With
`htmx=True` it sends the headers HTMX sends and takes fragments; the layouts differ by host and user agent.
"""

from __future__ import annotations

import gzip
import json
import re
from functools import cached_property
from io import BytesIO
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from flask import Flask
from lxml.html import HtmlElement, document_fromstring
from pyotp import TOTP
from werkzeug.test import TestResponse

from tests.authenticator import Authenticator
from tests.prepared import prepare

DESKTOP, ANDROID, IPHONE = "desktop", "android", "iphone"
AGENTS = {
    DESKTOP: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
    ANDROID: "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
    IPHONE: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari",
}
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
HOST = "nightlatch.localhost:5000"
PASSWORD = "analytical engine notes"
TWO_FACTOR = "/settings/security/two-factor"
OTHERS_LOGGED_OUT = "All your other devices were logged out."
PHONE = "+447400123456"
REQUESTS = "/settings/security/login-requests"


def named(tag: Tag) -> str:
    """The accessible name of a button or a link."""
    return str(tag.get("aria-label") or tag.get_text(" ", strip=True))


def words(element: HtmlElement) -> str:
    """The text of an element, with one space between its parts."""
    texts = element.xpath(".//text()[not(parent::script or parent::style)]")
    return " ".join(text.strip() for text in texts if not text.isspace())


def _name_of(element: HtmlElement) -> str:
    return element.get("aria-label") or words(element)


class Page:
    """One response, read as a person reads it.

    What every journey reads is found with lxml: Beautiful Soup takes twenty times as long to parse a page, more than
    the site takes to answer. `soup` is for all else.
    """

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        self.path = response.request.path
        raw = response.get_data()
        self.text = (gzip.decompress(raw) if response.headers.get("Content-Encoding") == "gzip" else raw).decode()
        if "<!doctype html>" in self.text and "data-hx-" in self.text:
            assert "/js/htmx-" in self.text, f"{self.path} needs HTMX and does not load it"

    @cached_property
    def soup(self) -> BeautifulSoup:
        soup = BeautifulSoup(self.text, "lxml")
        for time in soup.select("time:not([data-ago])"):  # one inside a sentence is read as a part of it
            time.unwrap()
        soup.smooth()
        return soup

    @cached_property
    def tree(self) -> HtmlElement:
        tree = document_fromstring(self.text if self.text.strip() else "<html></html>")
        for time in tree.xpath("//time[not(@data-ago)]"):
            time.drop_tag()
        return tree

    @property
    def h1(self) -> str:
        headings = self.tree.xpath("//h1")
        assert len(headings) == 1, f"{self.path} has {len(headings)} h1: {self.text[:500]}"
        return words(headings[0])

    @property
    def title(self) -> str:
        return str(self.tree.xpath("string(//title)")).strip()

    @property
    def problems(self) -> list[str]:
        return [words(li) for li in self.tree.xpath("(//*[@role='alert'])[1]//li")]

    @property
    def receipts(self) -> list[str]:
        """The text of the status region, without the link that follows a change."""
        said = [p.xpath(".//text()[not(ancestor::a)]") for p in self.tree.xpath("//*[@id='status']//p")]
        return [" ".join("".join(texts).split()) for texts in said]

    @property
    def asks_not_you(self) -> bool:
        """Whether a receipt offers "Not you?"."""
        return any(words(a) == "Not you?" for a in self.tree.xpath("//*[@id='status']//*[@class='receipt']//a"))

    @property
    def step(self) -> str | None:
        found = re.search(r"Step \d+ of \d+", words(self.tree))
        return found[0] if found else None

    def says(self, sentence: str) -> bool:
        return sentence in words(self.tree)

    def button(self, name: str) -> Tag:
        for button in self.soup.find_all("button"):
            if named(button) == name:
                return button
        raise self._lacks("button", name, self.buttons)

    def form_of(self, name: str) -> tuple[HtmlElement, HtmlElement]:
        """The form of a button, and the button."""
        for button in self.tree.iter("button"):
            if _name_of(button) == name:
                form = next(button.iterancestors("form"), None)
                assert form is not None, f"the button {name!r} belongs to no form"
                return form, button
        raise self._lacks("button", name, self.buttons)

    @property
    def buttons(self) -> list[str]:
        return [_name_of(button) for button in self.tree.iter("button")]

    def link(self, name: str) -> str:
        for link in self.tree.iter("a"):
            if _name_of(link) == name:
                return str(link.attrib["href"])
        raise self._lacks("link", name, self.links)

    @property
    def links(self) -> list[str]:
        return [_name_of(link) for link in self.tree.iter("a")]

    def _lacks(self, kind: str, name: str, there: list[str]) -> AssertionError:
        return AssertionError(f"no {kind} {name!r} on {self.path} ({self.h1}); there are {there}")

    def field(self, label: str) -> Tag:
        for tag in self.soup.find_all("label"):
            if tag.get_text(" ", strip=True) == label:
                found = self.soup.find(id=tag["for"])
                assert isinstance(found, Tag), f"the label {label!r} is for nothing"
                return found
        raise AssertionError(f"no field {label!r} on {self.path} ({self.h1})")

    @property
    def csrf_tokens(self) -> list[str]:
        """One for each form, all the same."""
        return [str(token) for token in self.tree.xpath("//input[@name='csrf_token']/@value")]

    def options(self) -> dict[str, Any]:
        """The WebAuthn options that the page passes to the browser."""
        found = self.tree.xpath("//form/@data-options")
        assert found, f"{self.path} ({self.h1}) asks for no key"
        return dict(json.loads(found[0]))

    @property
    def number(self) -> str:
        """The number on the waiting screen."""
        shown = self.tree.xpath("//*[@data-number]")
        assert shown, f"{self.path} ({self.h1}) shows no number"
        return str(shown[0].text_content()).strip()

    @property
    def setup_key(self) -> str:
        """The setup key of the QR code, in the form in which a person copies it."""
        return self._copied(r"[A-Z2-7]{32}")

    @property
    def backup_code(self) -> str:
        return self._copied(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}")

    def _copied(self, pattern: str) -> str:
        """What a button of the page copies."""
        copied = [str(text) for text in self.tree.xpath("//@data-copy")]
        return next(text for text in copied if re.fullmatch(pattern, text))


class Person:
    def __init__(
        self, app: Flask, layout: str = DESKTOP, htmx: bool = False, address: str = "192.0.2.1", agent: str = ""
    ) -> None:
        self.app = app
        self.agent = agent or AGENTS[layout]
        self.layout = layout
        self.htmx = htmx
        self.address = address
        self.client = app.test_client()
        self.page: Page | None = None

    @property
    def host(self) -> str:
        return HOST if self.layout == DESKTOP else f"mobile.{HOST}"

    def send(self, method: str, path: str, *, follow: bool = True, **options: Any) -> Page:
        """A raw request; every other method uses it."""
        headers = {"User-Agent": self.agent, **options.pop("headers", {})}
        if self.htmx:
            headers["HX-Request"] = "true"
        host = options.pop("host", self.host)
        if path.startswith("http"):
            host, path = urlsplit(path).netloc, path.split("/", 3)[3].join(("/", ""))
        base = f"http://{host}"
        environ = {"REMOTE_ADDR": self.address}
        response = self.client.open(
            path, method=method, base_url=base, headers=headers, environ_overrides=environ, **options
        )
        if method == "POST" and response.mimetype == "text/html" and "HX-Redirect" not in response.headers:
            assert response.status_code != 200, f"a reload of {path} would send its form again"
        for _ in range(8):
            target = response.headers.get("HX-Redirect") or (
                response.headers.get("Location") if response.status_code in (301, 302, 303) else None
            )
            if not follow or target is None:
                break
            parts = urlsplit(urljoin(f"{base}{path}", target))
            base, path = f"{parts.scheme}://{parts.netloc}", parts.path + (f"?{parts.query}" if parts.query else "")
            response = self.client.open(path, base_url=base, headers=headers, environ_overrides=environ)
        self.page = Page(response)
        return self.page

    def open(self, path: str, **options: Any) -> Page:
        return self.send("GET", path, **options)

    def follow(self, link: str) -> Page:
        return self.open(self._now.link(link))

    def press(self, button: str, **fields: Any) -> Page:
        """Fields are given by `name`; hidden inputs and default values of the form are sent too. A file is bytes."""
        form, pressed = self._now.form_of(button)
        sent: dict[str, Any] = {}
        for control in form.iter("input"):
            unticked = control.get("type") in ("checkbox", "radio") and "checked" not in control.attrib
            if control.get("name") and not unticked:
                sent[control.get("name")] = control.get("value", "")
        for select in form.iter("select"):
            options = select.findall(".//option")
            chosen = next((option for option in options if "selected" in option.attrib), options[0])
            sent[select.attrib["name"]] = chosen.attrib["value"]
        if pressed.get("name"):
            sent[pressed.get("name")] = pressed.get("value", "")
        unknown = set(fields) - {control.get("name") for control in form.iter("input", "select", "textarea")}
        assert not unknown, f"the form of {button!r} has no {unknown}"
        for control in form.xpath(".//input[@type='file']"):
            name = control.attrib["name"]
            content = fields.pop(name, None)  # a browser sends a part without a file name when no file was chosen
            sent[name] = (BytesIO(content or b""), "contacts.vcf" if content is not None else "")
        for area in form.iter("textarea"):
            sent[area.attrib["name"]] = area.text_content().replace("\r\n", "\n").removeprefix("\n")
        encoding = {"content_type": form.attrib["enctype"]} if "enctype" in form.attrib else {}
        action, method = form.get("action") or self._now.path, form.get("method", "get").upper()
        return self.send(method, action, data={**sent, **fields}, **encoding)

    def post(self, path: str, follow: bool = True, **fields: str) -> Page:
        """A POST with a valid CSRF token, even when the present page has no such form."""
        return self.send("POST", path, follow=follow, data={"csrf_token": self.token(), **fields})

    def token(self) -> str:
        if self.page is None or not self.page.csrf_tokens:
            htmx, self.htmx = self.htmx, False  # a whole page has a form in its footer, whatever the screen
            self.open("/log-in" if self.page is None else "/")
            self.htmx = htmx
        return self._now.csrf_tokens[0]

    def cookie(self, name: str) -> str | None:
        found = self.client.get_cookie(name, domain=self.host.split(":")[0])
        return found.value if found else None

    @property
    def _now(self) -> Page:
        assert self.page is not None, "open a page first"
        return self.page


class Owner(Person):
    """A user with an account and possibly an authentication app."""

    def __init__(self, site: Any, username: str = "ada", **options: Any) -> None:
        super().__init__(site.app, **options)
        self.site = site
        self.username = username
        self.email = f"{username}@example.org"
        self.password = PASSWORD
        self.secret = ""
        self.kept_code = ""
        self.key: Authenticator | None = None

    @classmethod
    def signed_up(cls, site: Any, username: str = "ada", *, confirm_email: bool = True, **options: Any) -> Self:
        """Someone who is logged in, without a second factor."""
        owner = cls(site, username, **options)
        owner.sign_up(confirm_email)
        return owner

    def sign_up(self, confirm_email: bool = True) -> Page:
        return prepare(self, f"sign up, {confirm_email=}", lambda: self._sign_up(confirm_email))

    def _sign_up(self, confirm_email: bool) -> Page:
        self.open("/sign-up")
        page = self.press("Sign up", name="Ada Lovelace", username=self.username, password=self.password)
        if not confirm_email:
            return page
        self.press("Next", email=self.email)
        return self.press("Verify", code=self.site.emailed_code(self.email))

    def turn_on_app(self) -> Page:
        """From the settings to "You're all set"."""
        return prepare(self, "turn on an app", self._turn_on_app)

    def _turn_on_app(self) -> Page:
        self.open(TWO_FACTOR)
        page = self.press("Authentication app")
        page = self.press(next(b for b in ("Start", "Got it") if b in page.buttons))
        if page.h1 == "Enter your password":
            self.press("Verify", password=self.password)
        self.secret = self._now.setup_key
        self.press("Next")
        page = self.press("Verify", code=self.code())
        if "Copy" in page.buttons:
            self.kept_code = page.backup_code
        return page

    def turn_on_texts(self, phone: str = PHONE) -> Page:
        """The same for text messages, to this number."""
        return prepare(self, f"turn on texts to {phone}", lambda: self._turn_on_texts(phone))

    def _turn_on_texts(self, phone: str) -> Page:
        self.open(TWO_FACTOR)
        self.press("Text message")
        self.press(next(b for b in ("Next", "Get started") if b in self._now.buttons))
        page = self.press("Verify", password=self.password)
        if page.h1 == "Add your phone number":
            self.press("Next", phone=phone)
        page = self.press("Verify", code=self.site.texted_code(phone))
        if "Copy" in page.buttons:
            self.kept_code = page.backup_code
        return page

    def turn_on_requests(self, subscription: str = "") -> Page:
        """The same for login requests, on this phone, with an optional push subscription of its browser."""
        return prepare(self, f"turn on requests {subscription}", lambda: self._turn_on_requests(subscription))

    def _turn_on_requests(self, subscription: str) -> Page:
        self.open(TWO_FACTOR)
        self.press("Login requests on this phone")
        self.press("Next")
        self.press("Verify", password=self.password)
        page = self.press("Allow notifications", subscription=subscription) if subscription else self.press("Not now")
        if "Copy" in page.buttons:
            self.kept_code = page.backup_code
        return page

    def answer(self, number: str | None = None, button: str = "Approve") -> Page:
        """On the phone: answers the newest login request with the number of the other screen."""
        self.open(REQUESTS)
        self.open(self._now.link(next(link for link in self._now.links if link.startswith("Review "))))
        return self.press(button, **({"number": number} if number is not None else {}))

    def new_key(self, **options: Any) -> Authenticator:
        """A key of this browser, for its present host."""
        return Authenticator(f"http://{self.host}", HOST.split(":")[0], **options)

    def turn_on_key(self, key: Authenticator | None = None, name: str = "Blue key") -> Page:
        """The same for a security key: up to "You're all set", or up to the list when it is not the first key."""
        used = self.key = key or self.key or self.new_key()
        return prepare(self, f"turn on a key named {name}", lambda: self._turn_on_key(used, name))

    def _turn_on_key(self, key: Authenticator, name: str) -> Page:
        self.open(TWO_FACTOR)
        page = self.follow("Security key")
        if page.h1 == "Enter your password":
            page = self.press("Verify", password=self.password)
        if page.h1 == "Manage security keys":
            page = self.follow("Add another key")
        if page.h1 == "Security key":
            page = self.press("Start")
        self.press("Use security key", credential=key.create(page.options()))
        page = self.press("Save", name=name)
        if "Copy" in page.buttons:
            self.kept_code = page.backup_code
        return page

    def use_key(self, key: Authenticator | None = None, **wrong: Any) -> Page:
        """On a page that asks for a key."""
        holder = key or self.key
        assert holder is not None, f"{self.username} has no key"
        return self.press("Use security key", credential=holder.get(self._now.options(), **wrong))

    def code(self, ahead: int = 0) -> str:
        """The code that the app shows now, or so many seconds later."""
        return TOTP(self.secret).at(self.site.clock.now() + ahead)

    def next_code(self) -> str:
        """The code of the next time step."""
        self.site.clock.pass_(30)
        return self.code()

    def log_out(self) -> Page:
        # the navigation is outside HTMX's target, and its forms are plain ones
        htmx, self.htmx = self.htmx, False
        self.open("/")
        page = self.press("Log out")
        self.htmx = htmx
        return page

    def log_in(self, password: str | None = None, **fields: str) -> Page:
        """Up to the page that follows the password."""
        self.open("/log-in")
        return self.press("Log in", username=self.username, password=password or self.password, **fields)

    def log_in_again(self, password: str | None = None, **fields: str) -> Page:
        """The same after logging out."""
        self.log_out()
        return self.log_in(password, **fields)

    def log_in_whole(self) -> Page:
        page = self.log_in()
        return self.press("Verify", code=self.next_code()) if page.h1 == "Enter your code" else page

    def other_browser(self, **options: Any) -> Owner:
        """The same user in another browser: without cookies, with the same password and keys."""
        twin = type(self)(self.site, self.username, **{"layout": self.layout, "htmx": self.htmx, **options})
        twin.password, twin.secret, twin.kept_code = self.password, self.secret, self.kept_code
        twin.key = self.key
        return twin

    def log_in_elsewhere(self, **options: Any) -> Owner:
        """Another browser with the password entered: logged in, or asked for the second factor."""
        other = self.other_browser(**options)
        other.log_in()
        return other
