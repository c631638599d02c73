"""Traces by OpenTelemetry, if the settings want them: a span for each operation and each of its statements.

There is no span for a field: an answer has thousands. Spans hold names, ids and sizes, and neither documents
nor statements nor values. Nothing here is imported from OpenTelemetry unless it is used.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agentdata import __version__
from agentdata.setup_error import SetupError
from models import Base

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer
    from starlette.types import Scope

    from agentdata.settings import Settings
    from agentdata.sight.request import RequestRecord

_FLUSH_S = 2.0
"""How long the end of the server may wait, in seconds, until the last spans are sent."""

_LONGEST_SUMMARY = 255
"""The longest `db.query.summary` by OpenTelemetry's semantic conventions, in characters."""

_TABLE = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|FROM|JOIN)\s+([a-z_]+)")


def check_extra(settings: Settings) -> None:
    """Check that the extra `otel` is installed, if the settings want traces.

    Raises:
        SetupError: It is not installed.

    """
    if not settings.otel:
        return
    try:
        import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        import_module("opentelemetry.sdk.trace.export")
    except ImportError:
        raise SetupError(
            "AGENTDATA_OTEL needs OpenTelemetry: install it with `pip install 'agentdata[otel]'`,"
            " or set AGENTDATA_OTEL=false"
        ) from None


def tracing_of(settings: Settings) -> Tracing | None:
    """Return the tracing that the settings want, whose exporter the OTEL_* variables configure, or None.

    Call it in the process that serves, because the exporter has a thread.

    Raises:
        SetupError: The settings want it, and the extra `otel` is not installed.

    """
    if not settings.otel:
        return None
    check_extra(settings)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an extra

    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "agentdata"}
    provider = TracerProvider(
        resource=Resource.create(named | {"service.version": __version__}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


class Tracing:
    """Starts the spans of requests, below the span that a request's `traceparent` names."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - an extra
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - an extra
            TraceContextTextMapPropagator,
        )

        self._provider = provider
        self._tracer = provider.get_tracer("agentdata", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._kind = SpanKind.SERVER

    def start(self, scope: Scope) -> RequestSpan:
        """Start the span of a request."""
        carried = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in {b"traceparent", b"tracestate"}
        }
        span = self._tracer.start_span(
            f"{scope['method']} {scope['path']}",
            self._propagator.extract(carried),
            self._kind,
            {"http.request.method": scope["method"], "url.path": scope["path"]},
        )
        return RequestSpan(self._tracer, span)

    async def stop(self) -> None:
        """Send the last spans, and give up if nobody takes them soon."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done.set)

        # The loop would wait for a thread of its executor, however long that takes.
        threading.Thread(target=shut_down, daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await done.wait()


class RequestSpan:
    """The span of a request, which the spans of its statements stand below."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415 - an extra

        self._tracer = tracer
        self._span = span
        self._context: Context = set_span_in_context(span)

    def statement(self, text: str, seconds: float) -> None:
        """Add the span of a statement that has just ended."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - an extra

        end = time.time_ns()
        summary = summary_of(text)
        self._tracer.start_span(
            summary,
            self._context,
            SpanKind.CLIENT,
            {"db.system.name": "postgresql", "db.query.summary": summary},
            start_time=end - int(seconds * 1e9),
        ).end(end)

    def end(self, request: RequestRecord, client: tuple[str, int] | None) -> None:
        """End the span, and say what is known of the request."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 - an extra

        attributes: dict[str, Any] = {
            "http.response.status_code": request.status,
            "agentdata.request.id": request.id,
            "agentdata.cost": request.cost,
        }
        if client:
            attributes["client.address"] = client[0]
        if request.operation:
            type_, _, name = request.operation.partition(":")
            self._span.update_name(type_)
            attributes["graphql.operation.type"] = type_
            if name != "-":
                attributes["graphql.operation.name"] = name
        if request.key:
            attributes["agentdata.key.id"] = str(request.key)
            attributes["agentdata.project.id"] = str(request.project)
        if request.codes:
            attributes["error.type"] = request.codes[0]
        self._span.set_attributes(attributes)
        if "INTERNAL" in request.codes or request.status >= 500:  # noqa: PLR2004 - statuses of faults of a server
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


@lru_cache(maxsize=128)
def summary_of(text: str) -> str:
    """Return what a statement does to which tables, such as `SELECT sessions agents`, without values."""
    words: list[str] = []
    read: list[str] = []
    for verb, table in _TABLE.findall(text):
        if table not in Base.metadata.tables:
            continue
        if verb in {"FROM", "JOIN"}:
            read.append(table)
        else:
            words += [verb.split()[0], table]
    if read:
        words += ["SELECT", *dict.fromkeys(read)]
    if not words:
        words = text.split(None, 1)[:1]
    return " ".join(words)[:_LONGEST_SUMMARY]
