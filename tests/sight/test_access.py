"""Each request is one line: whose it is, what it took, and nothing that it says."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import strawberry
from sqlalchemy import text

from agentdata.app import create_app
from agentdata.settings import Settings
from tests.serving import make_key, serving
from tests.sight.lines import written

if TYPE_CHECKING:
    import io
    from collections.abc import AsyncIterator

    from agentdata.database_urls import DatabaseUrls
    from tests.serving import Key

SECRET = "the patient's diagnosis"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@strawberry.type
class Broken:
    """Queries with a fault."""

    @strawberry.field
    def bug(self, value: str) -> str:
        """Raise an unexpected error."""
        raise KeyError(value)

    @strawberry.field
    async def sleep(self, info: strawberry.Info, seconds: float) -> bool:
        """Keep the database busy."""
        await info.context.reader.execute(text("SELECT pg_sleep(:seconds)").bindparams(seconds=seconds))
        return True


@pytest.fixture(scope="module")
async def key(database_urls: DatabaseUrls) -> Key:
    """Provide a key with all scopes."""
    return await make_key(database_urls)


@asynccontextmanager
async def client_of(
    urls: DatabaseUrls, key: Key, *, schema: Any = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve on a real port."""
    more = {"schema": schema} if schema else {}
    app = create_app(Settings(**settings), urls.request, **more)
    headers = {"Authorization": f"Bearer {key.secret}"}
    async with (
        serving(app) as (host, port),
        httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers) as client,
    ):
        yield client


def lines(log: io.StringIO, logger: str) -> list[dict[str, Any]]:
    """Return the lines of a logger."""
    return [each for each in map(orjson.loads, log.getvalue().splitlines()) if each["logger"] == logger]


async def test_a_line_of_json_says_who_asked_what_and_what_it_took(
    database_urls: DatabaseUrls, key: Key
) -> None:
    query = "query Found($text: String) { sessions(first: 7, filter: {title: {eq: $text}}) { nodes { id } } }"
    body = orjson.dumps({"query": query, "variables": {"text": SECRET}})
    with written("json") as log:
        # A line may come after its answer, but not after the end of the server.
        async with client_of(database_urls, key) as client:
            # The key is looked up, so that the next request has its own statements only.
            await client.post("/graphql", json={"query": "{ __typename }"})
            headers = {"Content-Type": "application/json", "X-Request-Id": "order-17/3"}
            answer = await client.post("/graphql?token=secret", content=body, headers=headers)
    line = lines(log, "agentdata.access")[-1]
    assert answer.headers["X-Request-Id"] == "order-17/3"
    assert line.pop("ms") >= line["statement_ms"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line.pop("time"))
    assert 7 <= line.pop("cost") < 1000
    del line["statement_ms"]
    assert line == {
        "level": "info",
        "logger": "agentdata.access",
        "message": "POST /graphql",
        "status": 200,
        "request": "order-17/3",
        "client": "127.0.0.1",
        "operation": "query:Found",
        "key": str(key.id),
        "project": str(key.project_id),
        "statements": 1,
        "in": len(body),
        "out": len(answer.content),
    }
    for hidden in (SECRET, "secret", key.secret):
        assert hidden not in log.getvalue()


async def test_a_line_of_text_has_the_same_fields(database_urls: DatabaseUrls, key: Key) -> None:
    with written() as log:
        async with client_of(database_urls, key) as client:
            accept = {"Accept": "application/graphql-response+json"}
            query = '{ nope(text: "secret") }'
            answer = await client.post("/graphql", json={"query": query}, headers=accept)
    [line] = [line for line in log.getvalue().splitlines() if " agentdata.access: " in line]
    assert re.search(
        r" INFO agentdata\.access: POST /graphql status=400 ms=[\d.]+ request=[0-9a-f-]{36}"
        rf" client=127\.0\.0\.1 key={key.id} project={key.project_id} statements=\d statement_ms=[\d.]+"
        rf" in=\d+ out={len(answer.content)} errors=BAD_USER_INPUT$",
        line,
    )
    assert "secret" not in line


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Request-Id": "a"}, "a"),
        ({"X-Request-Id": "a" * 64}, "a" * 64),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"X-Request-Id": "a", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, "a"),
        ({"X-Request-Id": "a b", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        # What is not an id is replaced.
        ({"X-Request-Id": ""}, None),
        ({"X-Request-Id": "a" * 65}, None),
        ({"X-Request-Id": "a status=200"}, None),
        ({"X-Request-Id": 'a"'}, None),
        ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, None),
        ({"traceparent": f"00-{TRACE}"}, None),
        ({"traceparent": f"00-{TRACE.upper()}-00f067aa0ba902b7-01"}, None),
        ({}, None),
    ],
)
async def test_a_request_keeps_the_id_that_it_brings_along(
    database_urls: DatabaseUrls, key: Key, headers: dict[str, str], expected: str | None
) -> None:
    async with client_of(database_urls, key) as client:
        given = (await client.get("/health/live", headers=headers)).headers["X-Request-Id"]
    if expected is None:
        assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", given)
    else:
        assert given == expected


async def test_an_internal_error_names_its_request_and_not_its_text(
    database_urls: DatabaseUrls, key: Key
) -> None:
    schema = strawberry.Schema(query=Broken)
    with written("json") as log:
        async with client_of(database_urls, key, schema=schema) as client:
            sent = {"query": "query ($v: String!) { bug(value: $v) }", "variables": {"v": SECRET}}
            answer = await client.post("/graphql", json=sent, headers={"X-Request-Id": "r-9"})
    [access] = lines(log, "agentdata.access")
    [error] = answer.json()["errors"]
    [line] = lines(log, "agentdata.engine.reporting")
    assert (line["level"], line["request"]) == ("error", "r-9")
    assert error["extensions"]["id"] in line["message"]
    assert re.search(r": KeyError .* at .*test_access\.py:\d+ in bug$", line["message"])
    assert "test_access.py" in line["details"]
    assert (access["request"], access["errors"]) == ("r-9", "INTERNAL")
    assert SECRET not in log.getvalue()


async def test_an_operation_that_is_slow_is_logged_with_its_plan(
    database_urls: DatabaseUrls, key: Key
) -> None:
    with written("json") as log:
        async with client_of(database_urls, key, slow_ms=1) as client:
            sent = {
                "query": """query Deep($title: String) {
                  all: sessions(first: 3, filter: {title: {eq: $title}}) {
                    nodes { agent { name } messages { nodes { content } } }
                  }
                }""",
                "variables": {"title": SECRET},
            }
            # Compiling it takes longer than a millisecond.
            await client.post("/graphql", json=sent)
    [line] = lines(log, "agentdata.slow")
    assert (line["level"], line["operation"], line["key"]) == ("warning", "query:Deep", str(key.id))
    assert line["ms"] >= line["statement_ms"] > 0
    assert line["plan"] == [
        {
            "path": "all",
            "reads": [
                {"path": "all.nodes.agent", "reads": []},
                {"path": "all.nodes.messages", "reads": []},
            ],
        }
    ]
    assert SECRET not in log.getvalue()


async def test_a_slow_mutation_is_logged_with_its_writes(database_urls: DatabaseUrls, key: Key) -> None:
    query = 'mutation Make { createAgent(input: {name: "secret"}) { sessions { nodes { id } } } }'
    with written() as log:
        async with client_of(database_urls, key, slow_ms=1) as client:
            await client.post("/graphql", json={"query": query})
    [line] = [line for line in log.getvalue().splitlines() if " agentdata.slow: " in line]
    assert '"write":"createAgent"' in line
    assert '"path":"createAgent.sessions"' in line
    assert "secret" not in line


async def test_slow_operations_are_bounded_and_fast_ones_not_logged(
    database_urls: DatabaseUrls, key: Key
) -> None:
    schema = strawberry.Schema(query=Broken)
    with written("json") as log:
        async with client_of(database_urls, key, schema=schema, slow_ms=20) as client:
            for _ in range(9):
                await client.post("/graphql", json={"query": "query Slow { sleep(seconds: 0.03) }"})
            for _ in range(3):
                await client.post("/graphql", json={"query": "query Fast { __typename }"})
    assert [line["operation"] for line in lines(log, "agentdata.slow")].count("query:Slow") == 5
    assert len(lines(log, "agentdata.access")) == 12


async def test_health_tells_the_process_from_the_database() -> None:
    app = create_app(Settings(), "postgresql://localhost:1/none")
    async with serving(app) as (host, port), httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        live, ready, health = [
            await client.get(path) for path in ("/health/live", "/health/ready", "/health")
        ]
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (ready.status_code, health.status_code) == (503, 503)
    assert ready.json() == health.json()
    assert ready.headers["Retry-After"] == "1"


async def test_health_is_ready_when_the_database_answers(database_urls: DatabaseUrls, key: Key) -> None:
    async with client_of(database_urls, key) as client:
        answers = [await client.get(path) for path in ("/health/live", "/health/ready", "/health")]
    assert [answer.json() for answer in answers] == [{"status": "ok"}] * 3
