"""A transport adapter for requests. It must never send a request twice, nor read after the deadline."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from .deadline import Deadline


class SingleSendAdapter(HTTPAdapter):
    def __init__(self, timeout: int, deadline: Deadline) -> None:
        self._timeout = timeout
        self._deadline = deadline
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        # half of the time for each address, so that IPv4 is tried when an IPv6 route does not work
        timeout = (self._timeout / 2, self._timeout)
        return super().send(request, stream, timeout, verify, cert, dict(proxies or {}))

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **options)
        deadline, timeout, kind = self._deadline, self._timeout, pool.ConnectionCls

        class Watched(kind):  # type: ignore[misc, valid-type]
            def _new_conn(self) -> socket.socket:
                connection: socket.socket = deadline.within(super()._new_conn)
                connection.settimeout(timeout)  # the timeout of connecting is too short for TLS
                deadline.watch(connection)
                return connection

        pool.ConnectionCls = Watched
        return pool
