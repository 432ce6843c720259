"""OpenTelemetry traces of requests and statements, sent by OTLP over HTTP. Imported only when they are turned on.

The exporter reads its settings from the standard variables (OTEL_EXPORTER_OTLP_ENDPOINT and others). A span leaves the
site with the attributes of `KEPT` alone: paths, queries, addresses and messages of errors may be secret or personal.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from flask import Flask
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.propagate import set_global_textmap
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status
from sqlalchemy import Engine

KEPT = frozenset(
    {
        *("http.method", "http.request.method", "http.route", "http.status_code", "http.response.status_code"),
        *("db.system", "db.system.name", "db.statement", "db.query.text"),
    }
)
"""The method and status of a request, the rule of its path, and statements, whose values are parameters."""


class PlainSpans(SpanExporter):
    """Hands spans on to another exporter, with nothing but what `plain` leaves in them."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([plain(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()


def plain(span: ReadableSpan) -> ReadableSpan:
    attributes = {name: value for name, value in (span.attributes or {}).items() if name in KEPT}
    route = f"{attributes.get('http.request.method', 'HTTP')} {attributes.get('http.route', '')}".rstrip()
    return ReadableSpan(
        route if span.kind is SpanKind.SERVER else span.name.partition(" ")[0],  # SELECT, without the database
        span.context,
        span.parent,
        span.resource,
        attributes,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def install(app: Flask, engine: Engine) -> None:
    """Must be called before other functions are registered in the application, so that spans include their time."""
    os.environ.setdefault("OTEL_SERVICE_NAME", "nightlatch")
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")  # the names of the stable conventions
    # it reads no traceparent: a browser may not choose the id of a trace, nor whether it is kept
    set_global_textmap(W3CBaggagePropagator())
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(PlainSpans(OTLPSpanExporter())))
    unwatched = "healthz,readyz,metrics"
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider, excluded_urls=unwatched)  # type: ignore[no-untyped-call]  # it has no types
    # it asks for SQLAlchemy before 2.1, but uses the public events of the engine only; tests/test_tracing.py
    SQLAlchemyInstrumentor().instrument(engine=engine, tracer_provider=provider, skip_dep_check=True)
