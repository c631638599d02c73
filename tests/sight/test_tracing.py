"""A trace has a span for the operation and one for each statement, and nothing that was said."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from agentdata.app import create_app
from agentdata.settings import Settings
from agentdata.sight.tracing import Tracing, summary_of, tracing_of
from tests.serving import make_key, serving
from tests.test_cli import environment, refused, started

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from agentdata.database_urls import DatabaseUrls

__all__ = ["environment", "started"]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRET = "the patient's diagnosis"


async def traced(urls: DatabaseUrls, *requests: dict[str, Any]) -> tuple[list[ReadableSpan], Any]:
    """Send requests to a server, and return the spans and the key."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    key = await make_key(urls)
    app = create_app(Settings(), urls.request, tracing=Tracing(provider))
    headers = {"Authorization": f"Bearer {key.secret}", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    async with (
        serving(app) as (host, port),
        httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers) as client,
    ):
        await client.post("/graphql", json={"query": "{ __typename }"})
        await client.get("/health")
        exporter.clear()
        for request in requests:
            await client.post("/graphql", **request)
    # A span may end after its answer, but not after the end of the server.
    return [*exporter.get_finished_spans()], key


async def test_an_operation_and_its_statement_are_spans_below_that_of_the_client(
    database_urls: DatabaseUrls,
) -> None:
    query = """query Found($text: String) {
      sessions(first: 7, filter: {title: {eq: $text}}) { nodes { agent { name } } }
    }"""
    spans, key = await traced(database_urls, {"json": {"query": query, "variables": {"text": SECRET}}})
    statement, operation = spans
    assert (operation.name, operation.kind, statement.kind) == ("query", SpanKind.SERVER, SpanKind.CLIENT)
    assert operation.context is not None
    assert operation.parent is not None
    assert statement.parent is not None
    assert f"{operation.context.trace_id:032x}" == TRACE
    assert f"{operation.parent.span_id:016x}" == PARENT
    assert statement.parent.span_id == operation.context.span_id
    assert operation.attributes is not None
    assert operation.attributes == {
        "http.request.method": "POST",
        "url.path": "/graphql",
        "http.response.status_code": 200,
        "client.address": "127.0.0.1",
        "graphql.operation.type": "query",
        "graphql.operation.name": "Found",
        "agentdata.request.id": TRACE,
        "agentdata.cost": operation.attributes["agentdata.cost"],
        "agentdata.key.id": str(key.id),
        "agentdata.project.id": str(key.project_id),
    }
    assert statement.name == "SELECT sessions agents"
    assert statement.attributes == {"db.system.name": "postgresql", "db.query.summary": statement.name}
    assert statement.start_time is not None
    assert operation.start_time is not None
    assert operation.start_time < statement.start_time
    assert operation.status.status_code is StatusCode.UNSET
    assert all(SECRET not in span.to_json() for span in spans)


async def test_spans_of_a_mutation_and_of_a_refusal(database_urls: DatabaseUrls) -> None:
    mutation = 'mutation { createAgent(input: {name: "secret"}) { id } }'
    spans, _ = await traced(
        database_urls,
        {"json": {"query": mutation}},
        {"json": {"query": "{ nope }"}},
        {"json": {"query": "{ __typename }"}, "headers": {"Authorization": ""}},
    )
    *statements, written, invalid, refused_ = spans
    assert statements
    assert any("INSERT agents" in span.name for span in statements), [span.name for span in statements]
    assert written.name == "mutation"
    assert (invalid.name, refused_.name) == ("POST /graphql", "POST /graphql")
    assert invalid.attributes is not None
    assert refused_.attributes is not None
    assert invalid.attributes["error.type"] == "BAD_USER_INPUT"
    assert refused_.attributes["error.type"] == "UNAUTHENTICATED"
    assert refused_.attributes["http.response.status_code"] == 401
    assert all("secret" not in span.to_json() for span in spans)


def test_the_summary_of_a_statement_has_its_tables_and_no_values() -> None:
    text = (
        "WITH new AS (INSERT INTO messages (id) SELECT id FROM given JOIN sessions ON true) SELECT 'FROM x'"
    )
    assert summary_of(text) == "INSERT messages SELECT sessions"
    assert summary_of("COMMIT") == "COMMIT"
    assert summary_of("SELECT 'secret'") == "SELECT"


def test_without_the_setting_nothing_is_traced() -> None:
    assert tracing_of(Settings()) is None


@pytest.mark.skipif(
    find_spec("opentelemetry") is not None
    and find_spec("opentelemetry.exporter") is not None
    and find_spec("opentelemetry.exporter.otlp.proto.http") is not None,
    reason="the extra `otel` is installed",
)
def test_the_setting_without_the_extra_is_refused_in_a_line(environment: dict[str, str]) -> None:
    for workers in ("1", "2"):
        more = {"AGENTDATA_OTEL": "true", "AGENTDATA_WORKERS": workers}
        assert "pip install 'agentdata[otel]'" in refused(environment | more, "serve")
