"""The pool reuses connections, and the state of one request never reaches the next."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text

from agentdata.database import Database
from agentdata.database_url import parse
from agentdata.engine.reporting import client_error
from agentdata.errors import OverloadedError
from models.base import REQUEST_ROLE
from tests import databases, factories

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api

ALL = "SELECT project_id FROM agents"
"""A statement without a condition: only row-level security limits it to a project."""


async def by_statement(database: Database, project_id: UUID) -> set[UUID]:
    return {row["project_id"] for row in await database.statement(project_id, ALL, [])}


async def by_read(database: Database, project_id: UUID) -> set[UUID]:
    async with database.read(project_id) as session:
        return set(await session.scalars(text(ALL)))


async def by_write(database: Database, project_id: UUID) -> set[UUID]:
    async with database.write(project_id) as session:
        return set(await session.scalars(text(ALL)))


async def without_project(database: Database, project_id: UUID) -> set[UUID]:
    async with database.connection() as connection:
        if (await connection.scalar(text("SELECT current_user"))) == REQUEST_ROLE:
            assert (await connection.scalars(text(ALL))).all() == []
    return {project_id}


async def after_failed_statement(database: Database, project_id: UUID) -> set[UUID]:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.statement(project_id, "SELECT 1 / 0", [])
    return await by_statement(database, project_id)


async def after_invalid_argument(database: Database, project_id: UUID) -> set[UUID]:
    with pytest.raises(asyncpg.DataError):
        await database.statement(project_id, "SELECT $1::int", ["no number"])
    return await by_statement(database, project_id)


async def after_rollback(database: Database, project_id: UUID) -> set[UUID]:
    with suppress(LookupError):
        async with database.write(project_id) as session:
            await session.execute(text("UPDATE agents SET name = 'never'"))
            raise LookupError
    return await by_read(database, project_id)


async def after_cancelled_statement(database: Database, project_id: UUID) -> set[UUID]:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await database.statement(project_id, "SELECT pg_sleep(60)", [])
    return await by_statement(database, project_id)


async def after_cancelled_transaction(database: Database, project_id: UUID) -> set[UUID]:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02), database.write(project_id) as session:
            await session.execute(text("SELECT pg_sleep(60)"))
    return await by_statement(database, project_id)


WAYS = [
    by_statement, by_read, by_write, without_project, after_failed_statement, after_invalid_argument,
    after_rollback, after_cancelled_statement, after_cancelled_transaction,
]  # fmt: skip


@pytest.fixture
def url(database_urls: DatabaseUrls) -> str:
    """Return a URL of the tables' owner, whom only the request role restricts, with an application name."""
    separator = "&" if "?" in database_urls.owner else "?"
    return f"{database_urls.owner}{separator}application_name=test-{uuid4().hex}"


@asynccontextmanager
async def open_database(url: str, size: int, **settings: Any) -> AsyncIterator[Database]:
    """Open a database with a pool of a size."""
    database = Database(url, pool_size=size, **settings)
    try:
        yield database
    finally:
        await database.close()


async def query_backends(urls: databases.Server, url: str, what: str = "count(*)") -> Any:
    """Query the server about the connections that were opened with a URL."""
    name = parse(url).connect_args["server_settings"]["application_name"]
    statement = f"SELECT {what} FROM pg_stat_activity WHERE application_name = '{name}'"  # noqa: S608  # from this file
    return (await asyncio.to_thread(databases.run, urls.admin, statement))[0]


async def session_state(database: Database) -> tuple[bool, str | None]:
    """Return whether a session still has its login role, and the project that it is set to."""
    connection = await database.pool.take(None)
    statement = "SELECT session_user = current_user, nullif(current_setting('app.project_id', true), '')"
    found = await connection.driver.fetch(statement)
    database.pool.give_back(connection)
    return found[0][0], found[0][1]


@pytest.mark.parametrize("shared", ["", "&pgbouncer=true"])
async def test_two_projects_on_one_connection_never_see_each_other(
    url: str, api: Api, other: Api, shared: str
) -> None:
    for project in (api, other):
        await factories.agent(project)
    async with open_database(url + shared, 1) as database:
        for before in WAYS:
            for after in WAYS:
                for project, way in ((api, before), (other, after)):
                    ids = await way(database, project.project_id)
                    assert ids == {project.project_id}, (before.__name__, after.__name__)


@pytest.mark.parametrize("way", WAYS)
async def test_a_shared_session_keeps_no_role_and_no_project(
    url: str, api: Api, way: Callable[[Database, UUID], Awaitable[set[UUID]]]
) -> None:
    async with open_database(f"{url}&pgbouncer=true", 1) as database:
        await way(database, api.project_id)
        assert await session_state(database) == (True, None)


async def test_an_own_session_has_the_request_role_from_the_start(url: str) -> None:
    async with open_database(url, 1, statement_timeout_ms=1234) as database:
        for settings in ("role", "statement_timeout", "jit", "TimeZone"):
            async with database.connection() as connection:
                found = await connection.scalar(text(f"SHOW {settings}"))
            expected = {"role": REQUEST_ROLE, "statement_timeout": "1234ms", "jit": "off", "TimeZone": "UTC"}
            assert found == expected[settings]
        # Connections that SQLAlchemy opens by itself have the role too.
        async with database.pool.engine.connect() as connection:
            assert await connection.scalar(text("SELECT current_user")) == REQUEST_ROLE


@asynccontextmanager
async def pooler(url: str) -> AsyncIterator[str]:
    """Run a proxy that, like PgBouncer, reports a process id that is not the server's."""
    target = parse(url).url
    path = (
        f"{target.query['host']}/.s.PGSQL.{target.query.get('port', 5432)}" if "host" in target.query else ""
    )

    async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, replace_key: bool) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(
                    re.sub(rb"(?s)K\0\0\0\x0c....", b"K\0\0\0\x0c\0\0\0\1", data) if replace_key else data
                )
                await sink.drain()
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = (
            asyncio.open_unix_connection(path) if path else asyncio.open_connection(target.host, target.port)
        )
        source, sink = await opened
        await asyncio.gather(
            pass_on(reader, sink, replace_key=False),
            pass_on(source, writer, replace_key=True),
            return_exceptions=True,
        )

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"{url}&host={host}&port={port}&sslmode=disable"


async def test_a_pooler_that_the_url_does_not_declare_is_detected(url: str, api: Api, other: Api) -> None:
    for project in (api, other):
        await factories.agent(project)
    async with pooler(url) as pooler_url, open_database(pooler_url, 1) as database:
        for project in (api, other, api):
            for way in (by_statement, by_read, by_write):
                assert await way(database, project.project_id) == {project.project_id}
        assert await session_state(database) == (True, None)


async def test_a_statement_takes_one_round_trip_and_commits(url: str, api: Api) -> None:
    async with open_database(url, 1) as database:
        await by_statement(database, api.project_id)
        statements: list[str] = []
        connection = await database.pool.take(api.project_id)
        connection.driver.add_query_logger(lambda query: statements.append(query.query))
        database.pool.give_back(connection)
        change = "UPDATE projects SET name = $1 WHERE id = $2 RETURNING name"
        assert [
            tuple(row) for row in await database.statement(api.project_id, change, ["New", api.project_id])
        ] == [("New",)]
        await asyncio.sleep(0)  # the driver calls the logger in the next iteration of the event loop
        assert [query for query in statements if "typeinfo" not in query] == [change]
    assert await api.ask("{ project { name } }") == {"project": {"name": "New"}}


async def test_requests_succeed_again_after_all_connections_were_lost(
    database_server: databases.Server, url: str, api: Api
) -> None:
    await factories.agent(api)
    ways = [by_statement, by_read, by_write, without_project, by_statement]

    async def ask() -> list[set[UUID] | BaseException]:
        reads = (way(database, api.project_id) for way in ways)
        return await asyncio.gather(*reads, return_exceptions=True)

    async with open_database(url, 5) as database:
        for _ in range(3):
            assert await ask() == [{api.project_id}] * 5
            assert await query_backends(database_server, url, "count(pg_terminate_backend(pid, 60000))")
            # A request may come before the driver notices that the server ended the session; it fails once.
            for answer in await ask():
                if answer != {api.project_id}:
                    assert isinstance(answer, Exception)
                    assert isinstance(client_error(answer), OverloadedError), repr(answer)
        assert await ask() == [{api.project_id}] * 5


async def test_requests_that_lose_their_connection_fail_as_overloaded(
    database_server: databases.Server, url: str, api: Api
) -> None:
    await factories.agent(api)
    slow = "SELECT project_id FROM agents, pg_sleep(60)"
    async with open_database(url, 4) as database:
        for _ in range(3):
            reads = [asyncio.create_task(database.statement(api.project_id, slow, [])) for _ in range(4)]
            async with asyncio.timeout(20):
                while (
                    await query_backends(
                        database_server, url, "count(*) FILTER (WHERE query LIKE '%pg_sleep%')"
                    )
                    < 4
                ):
                    assert not any(task.done() for task in reads)
            await query_backends(database_server, url, "count(pg_terminate_backend(pid))")
            for error in await asyncio.gather(*reads, return_exceptions=True):
                assert isinstance(error, Exception)
                assert isinstance(client_error(error), OverloadedError), repr(error)
            for way in (by_statement, by_read, by_write):
                assert await way(database, api.project_id) == {api.project_id}


async def test_a_pool_never_exceeds_its_size(database_server: databases.Server, url: str, api: Api) -> None:
    async with open_database(url, 3) as database:
        highest = 0
        for _ in range(3):
            ways = [way for way in WAYS for _ in range(5)]
            work = asyncio.gather(*(way(database, api.project_id) for way in ways))
            while not work.done():
                highest = max(highest, await query_backends(database_server, url))
            await work
        # A terminated backend may still be listed for a moment beside its replacement.
        assert 1 <= highest <= 4
    async with asyncio.timeout(20):
        while await query_backends(database_server, url):
            pass


async def test_waiters_get_connections_in_order_and_cancelled_ones_are_skipped(url: str) -> None:
    async with open_database(url, 1, pool_timeout_s=20) as database:
        connection = await database.pool.take(None)
        served: list[int] = []

        async def wait(number: int) -> None:
            taken = await database.pool.take(None)
            served.append(number)
            await asyncio.sleep(0)
            database.pool.give_back(taken)

        waiters = [asyncio.create_task(wait(number)) for number in range(6)]
        await asyncio.sleep(0)
        for number in (0, 3):
            waiters[number].cancel()
        await asyncio.sleep(0)
        database.pool.give_back(connection)
        # This waiter is cancelled just as it gets the connection, which must go on to the next.
        waiters[1].cancel()
        await asyncio.wait(waiters)
        assert served == [2, 4, 5]
        database.pool.give_back(await database.pool.take(None))


async def test_a_new_connection_is_kept_if_its_request_was_cancelled(
    database_server: databases.Server, url: str
) -> None:
    async with open_database(url, 1) as database:
        for _ in range(5):
            taking = asyncio.create_task(database.pool.take(None))
            await asyncio.sleep(0)
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking
        connection = await database.pool.take(None)
        assert await query_backends(database_server, url) == 1
        database.pool.give_back(connection)


async def test_a_request_that_waits_too_long_for_a_connection_is_refused(url: str) -> None:
    async with open_database(url, 1, pool_timeout_s=0.05) as database:
        connection = await database.pool.take(None)
        with pytest.raises(OverloadedError):
            await database.pool.take(None)
        database.pool.give_back(connection)
        database.pool.give_back(await database.pool.take(None))


async def test_a_failed_connection_attempt_frees_its_slot(url: str) -> None:
    async with open_database(f"{url}&host=/nowhere", 1, pool_timeout_s=5) as database:
        for _ in range(3):
            with pytest.raises(FileNotFoundError):
                await database.pool.take(None)


async def test_connections_older_than_pool_recycle_are_replaced(
    database_server: databases.Server, url: str
) -> None:
    async with open_database(f"{url}&pool_recycle=0", 1) as database:
        pids = set()
        for _ in range(3):
            connection = await database.pool.take(None)
            pids.add(connection.driver.get_server_pid())
            database.pool.give_back(connection)
        assert len(pids) == 3
        assert await query_backends(database_server, url) <= 2
