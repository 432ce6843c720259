"""Traces: a real collector receives them, and nothing secret or personal is in them."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.served import PASSWORD, served
from tests.wire import Client
from webapp.settings import Settings, SettingsError

TOKEN = "5ec7e7" * 10
SECRETS = [
    TOKEN,
    PASSWORD,
    "analytical",
    "ada@example.org",
    "zephyrine",
    "198.51.100.7",
    "127.0.0.1",
    "Brave/7",
]


class Collector:
    """Receives traces as any collector does: OTLP, in protobuf over HTTP."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        taken = self.received

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                taken.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Prints nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.received]
        return [s for r in requests for of in r.resource_spans for scope in of.scope_spans for s in scope.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def attributes(span: Span) -> dict[str, str]:
    return {a.key: a.value.string_value or str(a.value.int_value) for a in span.attributes}


def test_requests_and_their_statements_are_traced_without_what_is_secret_or_personal(
    tmp_path: Path, collector: Collector
) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with served(tmp_path, environ=environ, NIGHTLATCH_LEGACY_ACCESS="on") as server:
        client = Client(server.port, server.host)
        headers = ["User-Agent: Brave/7", "X-Forwarded-For: 198.51.100.7", "tracestate: vendor=c0ffee"]
        client.ask("/log-in?next=/settings/security", *headers, f"traceparent: 00-{'c0ffee' * 5}00-{'c0ffee00' * 2}-01")
        form = {"csrf_token": client.ask("/log-in", *headers).token, "username": "zephyrine", "password": PASSWORD}
        assert client.ask("/log-in", *headers, form=form).status == 422
        client.log_in("ada", PASSWORD, *headers)
        assert client.ask("/settings/security", *headers).status == 200
        for path in (f"/reset-password/{TOKEN}", f"/no/{TOKEN}", f"/log-in?next=/{TOKEN}", f"/forward/nginx/{TOKEN}"):
            client.ask(path, *headers)
        client.ask("/legacy/verify", *headers, "Authorization: Basic YWRhOmFuYWx5dGljYWwgZW5naW5lIG5vdGVz")
        assert client.ask("/healthz").status == 200
        client.close()
        time.sleep(0.3)
    spans = collector.spans()
    names = {span.name for span in spans}
    assert {"GET /log-in", "POST /log-in", "GET /reset-password/<token>", "GET"} <= names
    assert not any("healthz" in name for name in names)
    page = next(span for span in spans if span.name == "GET /settings/security")
    assert attributes(page)["http.response.status_code"] == "200"
    inside = [span for span in spans if span.trace_id == page.trace_id and span.parent_span_id == page.span_id]
    assert any("FROM sessions" in text for span in inside for text in attributes(span).values())
    sent = b"".join(collector.received)
    assert b"site.sqlite3" not in sent
    assert not [secret for secret in SECRETS if secret.encode() in sent]
    assert not any(re.search(r"\bada\b", text) for span in spans for text in (span.name, *attributes(span).values()))
    assert bytes.fromhex("c0ffee") not in sent, "a browser does not choose the id of a trace"


def test_a_collector_without_opentelemetry_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert Settings.read(environ, tmp_path).tracing
    monkeypatch.setitem(sys.modules, "opentelemetry", None)  # as where it is not installed
    with pytest.raises(SettingsError, match="OpenTelemetry is not installed"):
        Settings.read(environ, tmp_path)
    assert not Settings.read({}, tmp_path).tracing
