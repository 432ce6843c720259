"""Does a request once more when PostgreSQL was lost in it before a COMMIT was sent.

So a connection that a failover ended, and a deadlock, cost most requests nothing but time. Nothing was changed: a
request writes to the database only, and messages are in its outbox.
"""

from __future__ import annotations

from io import BytesIO, RawIOBase
from typing import Any

from ..models.database import Database

KEPT_BYTES = 64 * 1024  # of a form; a longer body, an upload, is not kept


class Body(RawIOBase):
    """The body of a request. What was read of it is kept, so that it can be read again."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._kept, self._taken = stream, b"", 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        self._taken += len(piece)
        if self._taken <= KEPT_BYTES:
            self._kept += piece
        return len(piece)

    def again(self, length: str) -> Any:
        """The same body from its beginning, or None when that is not known: `length` is the header Content-Length."""
        if not self._taken:
            return self._stream
        return BytesIO(self._kept) if length == str(self._taken) == str(len(self._kept)) else None


class Repeats:
    def __init__(self, app: Any, db: Database) -> None:
        self._app, self._db = app, db

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        heads: list[Any] = []
        body = Body(environ["wsgi.input"])
        self._db.begin_request()
        answer = self._app({**environ, "wsgi.input": body}, lambda *head: heads.append(head))
        if heads[-1][0].startswith("503") and self._db.may_repeat():
            again = body.again(environ.get("CONTENT_LENGTH", ""))
            if again is not None:
                if hasattr(answer, "close"):
                    answer.close()
                answer = self._app({**environ, "wsgi.input": again}, lambda *head: heads.append(head))
        start_response(*heads[-1])
        return answer
