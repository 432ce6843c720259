"""Which requests are done again when the database was lost in them, and that they are read a second time in full."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import Client

from webapp.web.repeats import KEPT_BYTES, Repeats


class LosesOnce:
    """Stands for the database and the site: the first request fails, the next one echoes its body."""

    def __init__(self, *, may_repeat: bool = True, reads_first: bool = True, status: str = "503 Not now") -> None:
        self._may_repeat, self._reads_first, self._status = may_repeat, reads_first, status
        self.seen = 0

    def begin_request(self) -> None:
        """What a request does is not kept."""

    def may_repeat(self) -> bool:
        return self._may_repeat

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.seen += 1
        body = environ["wsgi.input"].read() if self.seen > 1 or self._reads_first else b""
        start_response(self._status if self.seen == 1 else "200 OK", [])
        return [body]


def ask(site: LosesOnce, body: bytes = b"", **options: Any) -> Any:
    site_with = Repeats(site, site)  # type: ignore[arg-type]  # the two functions that it calls
    return Client(site_with).post("/", input_stream=BytesIO(body), content_length=len(body), **options)


@pytest.mark.parametrize("reads_first", [True, False])
@pytest.mark.parametrize("body", [b"", b"a form", b"x" * KEPT_BYTES])
def test_a_request_that_was_lost_is_done_again_with_the_same_body(body: bytes, reads_first: bool) -> None:
    site = LosesOnce(reads_first=reads_first)
    answer = ask(site, body)
    assert (answer.status_code, answer.data, site.seen) == (200, body, 2)


@pytest.mark.parametrize(
    ("site", "body"),
    [
        (LosesOnce(may_repeat=False), b"a form"),
        (LosesOnce(status="500 A bug"), b"a form"),
        (LosesOnce(), b"x" * (KEPT_BYTES + 1)),
    ],
    ids=["a COMMIT was sent", "another failure", "an upload"],
)
def test_any_other_request_is_done_once(site: LosesOnce, body: bytes) -> None:
    assert ask(site, body).status_code in (500, 503)
    assert site.seen == 1


def test_a_body_in_chunks_is_not_known_to_be_whole() -> None:
    site = LosesOnce()
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    assert ask(site, b"a form", environ_overrides=chunked).status_code == 503
    assert site.seen == 1
