"""gunicorn's worker with threads, whose own refusals repeat nothing of the request (ASVS V3.4).

gunicorn has no setting for the text of a refusal. It documents a subclass of its worker as a value of `worker_class`.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

STATUSES = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}
"""All other requests that cannot be read are bad ones (RFC 9110 section 15.5.1)."""
OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002  # of gunicorn
        """Answers a request that could not be read, or for which the application failed."""
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        if isinstance(exc, errors.ParseException) and not isinstance(exc, OURS):
            status = STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST)
            self.log.warning("Invalid request from %s: %s", addr[0] if addr else "a socket", type(exc).__name__)
        else:
            self.log.exception("Error handling a request")
        body = f"{status.phrase}\n"
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            "Connection: close",
            "Content-Type: text/plain; charset=utf-8",
            "X-Content-Type-Options: nosniff",
            f"Content-Length: {len(body)}",
        )
        with suppress(OSError):  # who sent it may be gone
            write_nonblock(client, "\r\n".join((*head, "", body)).encode())
