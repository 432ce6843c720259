"""One request to Vonage through its SDK, which is mended here where it falls short.

Importing this costs 0.2 s and 37 MB, so `vonage` does it when the first text is sent. It takes the SDK's parts for
text messages; the `vonage` package itself would import all of Vonage's products, at twice the time.
"""

from __future__ import annotations

import logging
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

from ..domain.ports import Refused, Unreachable
from .deadline import Deadline
from .vonage_answers import GATEWAY, Answer
from .wire import Wire

SDK = version("vonage")

# besides its own: what it raises over an answer that has another shape than it thinks
SDK_RAISES = (VonageError, pydantic.ValidationError, TypeError, KeyError, ValueError, IndexError, AttributeError)


class Line:
    def __init__(self, api_key: str, api_secret: str, url: str, timeout_seconds: int) -> None:
        """`timeout_seconds` bounds a whole request; the SDK by itself would wait for ever."""
        self._api_key = api_key
        self._api_secret = api_secret
        self._scheme, _, self._host = url.rstrip("/").partition("://")
        self._timeout = timeout_seconds

    def text(self, **fields: Any) -> Answer:
        """Puts one message to the gateway, once. Raises `Refused` when the SDK would not, and `Unreachable`."""
        try:
            message = SmsMessage(**fields)
            message.text.encode()  # half a character is found too late by the SDK
        except ValueError:  # a ValidationError, or a UnicodeEncodeError; both quote the message
            raise Refused("the message is none that the gateway's SDK would send") from None
        return self._ask(lambda client: Sms(client).send(message))

    def balance(self) -> Answer:
        """Asks what the account has left, which nobody is told who cannot prove who they are."""
        return self._ask(lambda client: client.get(client.rest_host, "/account/get-balance", auth_type="basic"))

    def _ask(self, question: Callable[[HttpClient], object]) -> Answer:
        """Whatever the gateway answered. The SDK's own verdict is dropped: it loses the status it judges by, and
        calls a message that went out an error when a field beside it is odd."""
        # At DEBUG the SDK writes number, text and credentials down, at WARNING what the gateway quotes of them. Said
        # before each request: whoever sets up logging later may have said otherwise.
        for name in ("vonage", "urllib3"):
            logging.getLogger(name).setLevel(logging.ERROR)
        with Deadline(self._timeout) as deadline:
            client = self._client(deadline)
            raised: Exception | None = None
            with closing(client._session):
                try:
                    question(client)
                except (requests.RequestException, *SDK_RAISES) as error:
                    raised = error
            response: requests.Response | None = client.last_response
            if response is None:
                response = getattr(raised, "response", None)  # a redirect that was not followed
            cut_off = deadline.is_over and raised and not isinstance(raised, VonageError)  # which it read in an answer
            if response is None or cut_off:
                raise Unreachable(self._complaint(raised, deadline))
        return Answer(response.status_code, response.content)

    def _client(self, deadline: Deadline) -> HttpClient:
        """A client for one request: it writes into headers that all its requests share."""
        options = HttpClientOptions(
            rest_host=self._host,
            timeout=self._timeout,
            pool_connections=1,
            pool_maxsize=1,  # it sends a POST again this many times when the answer is lost
            max_retries=0,
        )
        client = HttpClient(Auth(api_key=self._api_key, api_secret=self._api_secret), options, SDK)
        session: requests.Session = client._session
        session.mount("https://", _Wire(self._scheme, self._timeout, deadline))  # the only scheme that the SDK writes
        session.max_redirects = 0  # a redirected POST would be a second one, perhaps to somebody else
        session.auth = _as_it_is
        session.trust_env = self._scheme == "https"  # a proxy of the environment has no business on the loopback
        return client

    def _complaint(self, error: Exception | None, deadline: Deadline) -> str:
        """Class names and the system's own words only: what the exceptions say holds the address and what was sent."""
        causes = list(_causes(error))
        if deadline.is_over or any(isinstance(e, requests.Timeout | TimeoutError) for e in causes):
            return f"{GATEWAY} took longer than {self._timeout} s"
        for cause in causes:
            match cause:
                case requests.RequestException():
                    continue  # an OSError too, in whose place the system's own is looked for
                case ssl.SSLCertVerificationError():
                    return f"{GATEWAY}'s certificate is not trusted: {cause.verify_message}"
                case ssl.SSLError():
                    return f"no encryption with {GATEWAY}: {cause.reason}"
                case HTTPException() | ConnectionResetError() | BrokenPipeError():
                    return f"{GATEWAY} ended the conversation ({type(cause).__name__})"
                case OSError() if cause.strerror:
                    return f"{GATEWAY} cannot be reached: {cause.strerror}"
        return f"{GATEWAY} cannot be spoken to ({type(error).__name__})"


class _Wire(Wire):
    """By the scheme that the settings ask for."""

    def __init__(self, scheme: str, timeout: int, deadline: Deadline) -> None:
        self._scheme = scheme
        super().__init__(timeout, deadline)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        assert request.url
        request.url = self._scheme + request.url.removeprefix("https")
        return super().send(request, *args, **options)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps the credentials that the SDK wrote: without this, those of a .netrc file would take their place."""
    return request


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it was raised from or wraps, as urllib3 and requests do."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or one in seen:
            continue
        seen.append(one)
        yield one
        waiting += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
