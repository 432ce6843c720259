"""Login requests that wait for an answer: the banner on the pages of an approving device, and the count in its menu.

Read once in a request, and only by a browser that says it is an approving device, or on the home page of an account
that has one: no other page may cost a statement for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import g

from ..domain.devices import device
from ..models.login_requests import LoginRequest
from ..services.method_kinds import OutOfBand
from . import cookies, current, layouts
from .places import place_of


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits, as the banner shows it."""

    device: str
    place: str
    made_at: int
    url: str
    account: str
    """The username, where the browser approves for other accounts than the logged-in one; else empty."""


@dataclass(slots=True)
class WaitingRequests:
    is_approving: bool = False
    """This browser is an approving device, of any account."""
    title: str = ""
    url: str = ""
    """The list of requests."""
    rows: list[Waiting] = field(default_factory=list)

    @property
    def banner(self) -> list[Waiting]:
        """Those to show above the page: none on the pages of the requests, which show them anyway."""
        return [] if (layouts.endpoint() or "").startswith("requests.") else self.rows


def here() -> WaitingRequests:
    """Those that the page of this request shows."""
    if "waiting_requests" not in g:
        g.waiting_requests = WaitingRequests()
        for method in current.services().methods.out_of_band:
            _add(g.waiting_requests, method)
    found: WaitingRequests = g.waiting_requests
    return found


def none_here() -> None:
    """Called before an error page that must not read the database."""
    g.waiting_requests = WaitingRequests()


def _add(found: WaitingRequests, method: OutOfBand) -> None:
    approvals, user = current.services().approvals, current.user_or_none()
    own = user.account.id if user is not None else None
    if cookies.device_tokens():
        accounts, waiting = approvals.waiting_here(method, current.origin())
        if accounts:
            found.is_approving = True
            found.title, found.url = str(method.requests_title), layouts.page_url("requests.listed", method=method.slug)
        names = accounts if len({*accounts, own} - {None}) > 1 else {}
        found.rows += [_row(method, request, names.get(request.account_id, "")) for request in waiting]
        if own in accounts:
            return
    if user is not None and layouts.endpoint() == "home.home" and user.factors_of(method.slug):
        found.rows += [_row(method, request, "") for request in approvals.waiting_for(user.account.id)]


def _row(method: OutOfBand, request: LoginRequest, account: str) -> Waiting:
    url = layouts.page_url("requests.one", method=method.slug, request_id=request.id)
    return Waiting(device(request.device), place_of(request.address), request.made_at, url, account)
