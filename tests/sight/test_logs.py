"""Logs hold no contents and stay short, whatever fails."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from agentdata.administration import acting_in
from agentdata.app import create_app
from agentdata.operations import agents, sessions
from agentdata.settings import Settings
from agentdata.sight.failures import describe, trace
from agentdata.sight.logs import RepeatFilter
from agentdata.sight.request import RequestRecord, current
from models import Session
from tests.embedding import endpoint
from tests.serving import make_key
from tests.sight.lines import written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from agentdata.database_urls import DatabaseUrls
    from tests.serving import Key

SECRET = "the patient's diagnosis"
APPEND = """mutation ($id: ID!, $content: String) {
  appendMessages(sessionId: $id, messages: [{role: USER, content: $content}]) { id }
}"""


@pytest.fixture(scope="module")
async def key(database_urls: DatabaseUrls) -> Key:
    """Provide a key with all scopes."""
    return await make_key(database_urls)


async def _client(settings: Settings, url: str, secret: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {secret}"},
        ) as client,
    ):
        yield client


async def test_a_write_that_times_out_is_one_line_without_its_parameters(
    database_urls: DatabaseUrls, key: Key
) -> None:
    async with acting_in(database_urls.owner, key.slug) as write:
        agent = await agents.create(write, {"name": "one"})
        session = await sessions.create(write, {"agent_id": agent.id})
    async for client in _client(Settings(statement_timeout_ms=200), database_urls.request, key.secret):
        async with acting_in(database_urls.owner, key.slug) as write:
            await write.get(Session, session.id, lock=True)
            with written() as log:
                body = {"query": APPEND, "variables": {"id": str(session.id), "content": SECRET}}
                answer = await client.post("/graphql", json=body)
    assert answer.json()["errors"][0]["extensions"]["code"] == "TIMEOUT"
    [line] = [line for line in log.getvalue().splitlines() if " INFO " not in line]
    assert "TIMEOUT: " in line
    assert "sqlstate=57014" in line
    assert SECRET not in log.getvalue()


async def test_an_outage_is_a_few_lines_however_many_requests_it_refuses(key: Key) -> None:
    async for client in _client(Settings(), "postgresql://localhost:1/none", key.secret):
        with written() as log:
            answers = await asyncio.gather(
                *[client.post("/graphql", json={"query": "{ __typename }"}) for _ in range(50)],
                *[client.get("/health") for _ in range(50)],
            )
    assert {answer.status_code for answer in answers} == {503}
    faults = [line for line in log.getvalue().splitlines() if " INFO " not in line]
    assert 1 <= len(faults) <= 10
    assert "errno=ECONNREFUSED" in faults[0]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT CAST('the secret' AS uuid)",
        "INSERT INTO projects (id, name, slug) SELECT id, name, slug FROM projects LIMIT 1",
        "SELECT * FROM the_secret",
    ],
)
async def test_errors_of_postgresql_are_described_without_values(
    owner: AsyncEngine, key: Key, statement: str
) -> None:
    with pytest.raises(DBAPIError) as raised:
        async with owner.begin() as connection:
            await connection.execute(text(statement))
    described = describe(raised.value) + trace(raised.value)
    assert "secret" not in described
    assert key.slug not in described
    assert f"sqlstate={raised.value.orig.sqlstate}" in described  # type: ignore[union-attr]  # the driver's
    assert "test_logs.py" in described


async def test_the_pool_hides_parameters_from_the_texts_of_exceptions(database: Database) -> None:
    async with database.connection() as connection:
        with pytest.raises(DBAPIError) as raised:
            await connection.execute(text("SELECT CAST(:value AS text)::uuid"), {"value": SECRET})
        await connection.rollback()
    assert "hidden" in str(raised.value)


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_traceback_of_another_library_is_written_without_texts(format_: str) -> None:
    with written(format_) as log:  # type: ignore[arg-type]  # pytest's parameters are of any type
        try:
            dict[str, str]()[SECRET]
        except KeyError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    assert "KeyError" in log.getvalue()
    assert "test_logs.py" in log.getvalue()
    assert SECRET not in log.getvalue()


async def test_an_exception_that_nobody_awaited_is_written_without_its_text(database_url: str) -> None:
    app = create_app(Settings(), database_url)
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    try:
        async with app.router.lifespan_context(app):
            with written() as log:
                error = KeyError(SECRET)
                loop.call_exception_handler(
                    {"message": f"Task exception was never retrieved\n{error!r}", "exception": error}
                )
    finally:
        loop.set_exception_handler(before)
    assert "Task exception was never retrieved: KeyError" in log.getvalue()
    assert SECRET not in log.getvalue()


def test_repeated_warnings_are_counted() -> None:
    filter_ = RepeatFilter(repeats=2, interval_s=0)
    bounded = RepeatFilter(repeats=2)

    def record(**more: object) -> logging.LogRecord:
        return logging.makeLogRecord({"levelno": logging.WARNING, "pathname": "a", "lineno": 1, **more})

    assert [bounded.filter(record()) for _ in range(4)] == [True, True, False, False]
    assert bounded.filter(record(lineno=2))
    assert bounded.filter(record(kind="another"))
    # Information, such as the lines of the access log, is not bounded.
    assert all(bounded.filter(record(levelno=logging.INFO)) for _ in range(4))
    assert all(filter_.filter(record()) for _ in range(4))


def test_a_line_after_the_interval_says_how_many_were_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("agentdata.sight.logs.time.monotonic", lambda: now)
    bounded = RepeatFilter(repeats=1, interval_s=60)
    records = [logging.makeLogRecord({"levelno": logging.WARNING}) for _ in range(5)]
    assert [bounded.filter(each) for each in records[:4]] == [True, False, False, False]
    now = 61.0
    assert bounded.filter(records[4])
    assert records[4].__dict__["repeated"] == 3


def test_internal_errors_lose_their_details_and_not_their_line() -> None:
    bounded = RepeatFilter(repeats=1)
    records = [logging.makeLogRecord({"levelno": logging.ERROR, "details": "a trace"}) for _ in range(2)]
    assert [bounded.filter(each) for each in records] == [True, True]
    assert [each.__dict__["details"] for each in records] == ["a trace", None]


def test_lines_carry_the_id_of_their_request() -> None:
    token = current.set(RequestRecord("r-1"))
    try:
        with written() as log, written("json") as json:
            logging.getLogger("agentdata.health").warning("it %s", "fails")
    finally:
        current.reset(token)
    assert log.getvalue().endswith(" WARNING agentdata.health: it fails request=r-1\n")
    line = orjson.loads(json.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "agentdata.health",
        "message": "it fails",
        "request": "r-1",
    }


def test_addresses_that_this_server_asks_are_in_no_line_of_the_log() -> None:
    asks = """
import sys, httpx
from agentdata.sight.logs import configure
configure("debug", "text")
print(httpx.post(sys.argv[1] + "?key=secret", json={"model": "m", "input": ["a"]}).status_code)
"""
    with endpoint() as served:
        line = [sys.executable, "-c", asks, f"{served.url}/embeddings"]
        done = subprocess.run(line, capture_output=True, text=True, check=True)  # noqa: S603  # ours
        assert done.stdout == "200\n"
        assert "key=secret" in served.paths[0]
    assert "secret" not in done.stderr
