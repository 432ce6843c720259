"""One request to Vonage by its SDK, whose logging, retries, redirects and timeouts are corrected here.

It must never log or raise anything with a phone number, a text or credentials in it. Import it in a function only: it
costs 90 ms and 15 MiB (docs/decisions/lazy-imports.md). It uses the SDK's packages for text messages, because the
`vonage` package imports all of Vonage's products, which takes twice the time.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPException
from importlib.metadata import version
from typing import Any

import pydantic
import requests
from vonage_http_client import Auth, HttpClient, HttpClientOptions
from vonage_sms import Sms, SmsMessage
from vonage_utils.errors import VonageError  # type: ignore[import-untyped]

from ..domain.ports import (
    CERTIFICATE,
    CONNECTION_REFUSED,
    NAME_UNKNOWN,
    NO_TLS,
    OTHER_FAULT,
    TIMED_OUT,
    Refused,
    Unreachable,
)
from .deadline import Deadline
from .single_send import SingleSendAdapter
from .vonage_answers import GATEWAY, Answer

SDK = version("vonage")

# its own errors, and those it raises when a response has an unexpected structure
SDK_RAISES = (VonageError, pydantic.ValidationError, TypeError, KeyError, ValueError, IndexError, AttributeError)


FAULTS: dict[type[Exception], str] = {
    ssl.SSLCertVerificationError: CERTIFICATE,  # also an SSLError
    ssl.SSLError: NO_TLS,
    socket.gaierror: NAME_UNKNOWN,
    ConnectionRefusedError: CONNECTION_REFUSED,
}


class VonageClient:
    def __init__(self, api_key: str, api_secret: str, url: str, timeout_seconds: int) -> None:
        """`timeout_seconds` limits a whole request; the SDK has no limit."""
        self._api_key = api_key
        self._api_secret = api_secret
        self._scheme, _, self._host = url.rstrip("/").partition("://")
        self._timeout = timeout_seconds

    def text(self, **fields: Any) -> Answer:
        """Sends one message, once. Raises `Refused` when the SDK rejects the message, and `Unreachable`."""
        try:
            message = SmsMessage(**fields)
            message.text.encode()  # finds a lone surrogate, which the SDK would find only while sending
        except ValueError:  # ValidationError or UnicodeEncodeError; both quote the message, so they are not chained
            raise Refused("the message is none that the gateway's SDK would send") from None
        return self._request(lambda client: Sms(client).send(message))

    def balance(self) -> Answer:
        """Requests the balance of the account, which needs valid credentials. Raises `Unreachable`."""
        return self._request(lambda client: client.get(client.rest_host, "/account/get-balance", auth_type="basic"))

    def _request(self, call: Callable[[HttpClient], object]) -> Answer:
        """The response of the gateway. Raises `Unreachable` without one.

        Errors of the SDK about a response are ignored: they lack the status, and the SDK also raises one for a message
        that was sent when another field of the response is unexpected.
        """
        # At DEBUG the SDK logs number, text and credentials, at WARNING what the gateway quotes of them. Set before
        # each request, because another module may configure logging later.
        for name in ("vonage", "urllib3"):
            logging.getLogger(name).setLevel(logging.ERROR)
        with Deadline(self._timeout) as deadline:
            client = self._client(deadline)
            raised: Exception | None = None
            with closing(client._session):
                try:
                    call(client)
                except (requests.RequestException, *SDK_RAISES) as error:
                    raised = error
            response: requests.Response | None = client.last_response
            if response is None:
                response = getattr(raised, "response", None)  # of a redirect, which is not followed
            # a VonageError means that a response was read
            cut_off = deadline.has_passed and raised and not isinstance(raised, VonageError)
            if response is None or cut_off:
                raise Unreachable(self._reason(raised, deadline), _fault(raised, deadline))
        return Answer(response.status_code, response.content)

    def _client(self, deadline: Deadline) -> HttpClient:
        """An SDK client for one request: the SDK stores headers of a request in the client."""
        options = HttpClientOptions(
            rest_host=self._host,
            timeout=self._timeout,
            pool_connections=1,
            pool_maxsize=1,  # the SDK repeats a POST this many times when the response is lost
            max_retries=0,
        )
        client = HttpClient(Auth(api_key=self._api_key, api_secret=self._api_secret), options, SDK)
        session: requests.Session = client._session
        session.mount("https://", _SchemeAdapter(self._scheme, self._timeout, deadline))  # the SDK always writes https
        session.max_redirects = 0  # a redirected POST would send the message again, perhaps to another host
        session.auth = _unchanged
        session.trust_env = self._scheme == "https"  # no proxy of the environment for a gateway on loopback
        return client

    def _reason(self, error: Exception | None, deadline: Deadline) -> str:
        """Class names and texts of the system only: the texts of exceptions contain the number and the message."""
        causes = list(_causes(error))
        if _is_timeout(causes, deadline):
            return f"{GATEWAY} took longer than {self._timeout} s"
        for cause in causes:
            match cause:
                case requests.RequestException():
                    continue  # also an OSError, but the one that it wraps is wanted
                case ssl.SSLCertVerificationError():
                    return f"{GATEWAY}'s certificate is not trusted: {cause.verify_message}"
                case ssl.SSLError():
                    return f"no encryption with {GATEWAY}: {cause.reason}"
                case HTTPException() | ConnectionResetError() | BrokenPipeError():
                    return f"{GATEWAY} ended the conversation ({type(cause).__name__})"
                case OSError() if cause.strerror:
                    return f"{GATEWAY} can't be reached: {cause.strerror}"
        return f"{GATEWAY} cannot be spoken to ({type(error).__name__})"


def _is_timeout(causes: list[BaseException], deadline: Deadline) -> bool:
    return deadline.has_passed or any(isinstance(e, requests.Timeout | TimeoutError) for e in causes)


def _fault(error: Exception | None, deadline: Deadline) -> str:
    causes = list(_causes(error))
    if _is_timeout(causes, deadline):
        return TIMED_OUT
    for kind, fault in FAULTS.items():
        if any(isinstance(cause, kind) for cause in causes):
            return fault
    return OTHER_FAULT


class _SchemeAdapter(SingleSendAdapter):
    """Replaces https by the scheme of the settings."""

    def __init__(self, scheme: str, timeout: int, deadline: Deadline) -> None:
        self._scheme = scheme
        super().__init__(timeout, deadline)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        assert request.url
        request.url = self._scheme + request.url.removeprefix("https")
        return super().send(request, *args, **options)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps the credentials of the SDK, which requests would replace by those of a .netrc file."""
    return request


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and the errors that it was raised from or wraps, as those of urllib3 and requests do."""
    seen: list[BaseException] = []
    queue = [error]
    while queue:
        one = queue.pop(0)
        if not isinstance(one, BaseException) or one in seen:
            continue
        seen.append(one)
        yield one
        queue += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
