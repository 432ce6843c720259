"""Every cookie of the site: HttpOnly, Path=/, no Domain, and over https Secure with the __Host- prefix.

ASVS V3.3 lists the attributes. The cookies of a session and of a pending login contain a random token that is signed
with SECRET_KEY, so that a new SECRET_KEY ends all sessions.
"""

from __future__ import annotations

from collections.abc import Collection

from flask import current_app, request
from flask.wrappers import Response
from itsdangerous import BadSignature, Signer

from ..domain.codes import hash_of
from ..models.user import SessionToken
from ..policy import DAY
from ..services.password_attempts import KnownBrowser

SESSION, LOGIN, REMEMBERED, BROWSER, DEVICE = "session", "login", "remembered", "browser", "phone"
LANGUAGE, SITE_CHOICE, NOTICE_SEEN, PASSKEY_OFFERED = "language", "site", "cookies-seen", "passkey-offered"
YEAR = 365 * DAY
MOST_TOKENS = 5
"""In one cookie, each of another account."""
MOST_KNOWN = 10


def name_of(name: str) -> str:
    return f"__Host-{name}" if current_app.config["SESSION_COOKIE_SECURE"] else name


def get(name: str) -> str | None:
    return request.cookies.get(name_of(name))


def put(response: Response, name: str, value: str, lasts: int | None = None, samesite: str = "Lax") -> None:
    response.set_cookie(
        name_of(name),
        value,
        max_age=lasts,
        path="/",
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
        httponly=True,
        samesite=samesite,
    )


def drop(response: Response, name: str) -> None:
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    response.delete_cookie(name_of(name), path="/", secure=secure, httponly=True, samesite="Lax")


# -- Tokens ----------------------------------------------------------------------------------------


def session_token() -> str | None:
    return _unsigned(SESSION)


def login_token() -> str | None:
    return _unsigned(LOGIN)


def put_session(response: Response, opened: SessionToken, kept_for: int) -> None:
    put(response, SESSION, _sign(SESSION, opened.token), kept_for if opened.persistent else None)


def put_login(response: Response, token: str, lasts: int) -> None:
    put(response, LOGIN, _sign(LOGIN, token), lasts, samesite="Strict")


def remembered_tokens() -> list[str]:
    return _tokens(REMEMBERED)


def put_remembered(response: Response, token: str, lasts: int) -> None:
    """Adds the token before those of other accounts in this browser."""
    put(response, REMEMBERED, "~".join([token, *remembered_tokens()][:MOST_TOKENS]), lasts)


def device_tokens() -> list[str]:
    """The tokens that make this browser an approving device, one for each account."""
    return _tokens(DEVICE)


def put_device(response: Response, token: str, earlier: Collection[str]) -> None:
    """Adds the token before those of other accounts, and removes the account's `earlier` ones (`Factor.external_id`).

    Not signed: an approving device stays a factor when SECRET_KEY is replaced.
    """
    others = [own for own in device_tokens() if hash_of(own) not in earlier]
    put(response, DEVICE, "~".join([token, *others][:MOST_TOKENS]), YEAR)


def renew_device(response: Response) -> None:
    """Sets the cookie of an approving device again, so that it is valid for another year."""
    put(response, DEVICE, "~".join(device_tokens()), YEAR)


def known_browser() -> KnownBrowser | None:
    """The name of this browser and the accounts that logged in with it before; None without a valid signed cookie."""
    text = _unsigned(BROWSER)
    if text is None:
        return None
    browser, _, accounts = text.partition(":")
    return KnownBrowser(browser, frozenset(int(a) for a in accounts.split(",") if a))


def put_known(response: Response, account_id: int, fresh_name: str, lasts: int) -> None:
    known = known_browser()
    if known is not None and account_id in known.accounts:
        return
    others = sorted(known.accounts)[: MOST_KNOWN - 1] if known else []
    accounts = ",".join(str(a) for a in [account_id, *others])
    put(response, BROWSER, _sign(BROWSER, f"{known.browser if known else fresh_name}:{accounts}"), lasts)


def _tokens(name: str) -> list[str]:
    return [t for t in (get(name) or "").split("~") if t][:MOST_TOKENS]


def _sign(name: str, value: str) -> str:
    return _signer(name).sign(value).decode()


def _unsigned(name: str) -> str | None:
    signed = get(name)
    if signed is None:
        return None
    try:
        return _signer(name).unsign(signed).decode()
    except (BadSignature, UnicodeError):
        return None


def _signer(name: str) -> Signer:
    # itsdangerous signs with the last key
    keys = [*(current_app.config["SECRET_KEY_FALLBACKS"] or ()), current_app.secret_key]
    return Signer(keys, salt=f"nightlatch {name}")
