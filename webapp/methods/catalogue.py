"""The methods of the site, in display order. A new one is a file of its own and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..domain.push import PushHosts
from ..services.attempts import Attempts
from ..services.ceremonies import Ceremonies
from ..services.core import Core
from ..services.method_kinds import Methods
from ..services.one_time_codes import OneTimeCodes
from ..services.outbox import Outbox
from ..services.phone_numbers import PhoneNumbers
from ..services.requests.login_requests import LoginRequests
from . import authentication_app, login_requests, security_key, text_message


@dataclass(frozen=True, slots=True)
class Parts:
    """The services and settings that methods are built from."""

    core: Core
    attempts: Attempts
    codes: OneTimeCodes
    outbox: Outbox
    phone_numbers: PhoneNumbers
    ceremonies: Ceremonies
    login_requests: LoginRequests
    site_name: str
    can_text: bool
    push_hosts: PushHosts
    push_key: str | None
    """The public key with which browsers subscribe, in base64url; None when no push can be sent."""


Catalogue = Callable[[Parts], Methods]


def catalogue(parts: Parts) -> Methods:
    return Methods(
        (
            text_message.TextMessage(parts.phone_numbers, parts.can_text),
            authentication_app.AuthenticationApp(parts.core, parts.site_name),
            security_key.SecurityKey(parts.core, parts.attempts, parts.ceremonies),
            login_requests.LoginRequestsMethod(parts.login_requests, parts.push_hosts, parts.push_key),
        )
    )
