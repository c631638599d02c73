"""Connections are reused, and nothing of one request is left to the next, even where there is only one."""

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
"""No condition: row-level security alone says whose agents these are."""


async def by_statement(database: Database, project_id: UUID) -> set[UUID]:
    return {row["project_id"] for row in await database.statement(project_id, ALL, [])}


async def by_read(database: Database, project_id: UUID) -> set[UUID]:
    async with database.read(project_id) as session:
        return set(await session.scalars(text(ALL)))


async def by_write(database: Database, project_id: UUID) -> set[UUID]:
    async with database.write(project_id) as session:
        return set(await session.scalars(text(ALL)))


async def by_none(database: Database, project_id: UUID) -> set[UUID]:
    async with database.connection() as connection:
        if (await connection.scalar(text("SELECT current_user"))) == REQUEST_ROLE:
            assert (await connection.scalars(text(ALL))).all() == []
    return {project_id}


async def refused(database: Database, project_id: UUID) -> set[UUID]:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.statement(project_id, "SELECT 1 / 0", [])
    return await by_statement(database, project_id)


async def not_sent(database: Database, project_id: UUID) -> set[UUID]:
    with pytest.raises(asyncpg.DataError):
        await database.statement(project_id, "SELECT $1::int", ["no number"])
    return await by_statement(database, project_id)


async def rolled_back(database: Database, project_id: UUID) -> set[UUID]:
    with suppress(LookupError):
        async with database.write(project_id) as session:
            await session.execute(text("UPDATE agents SET name = 'never'"))
            raise LookupError
    return await by_read(database, project_id)


async def cancelled(database: Database, project_id: UUID) -> set[UUID]:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await database.statement(project_id, "SELECT pg_sleep(60)", [])
    return await by_statement(database, project_id)


async def cancelled_in_transaction(database: Database, project_id: UUID) -> set[UUID]:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02), database.write(project_id) as session:
            await session.execute(text("SELECT pg_sleep(60)"))
    return await by_statement(database, project_id)


WAYS = [
    by_statement, by_read, by_write, by_none, refused, not_sent, rolled_back, cancelled,
    cancelled_in_transaction,
]  # fmt: skip


@pytest.fixture
def url(database_urls: DatabaseUrls) -> str:
    """Give a URL of the tables' owner, whom only the request role's policies hold back, with a name."""
    separator = "&" if "?" in database_urls.owner else "?"
    return f"{database_urls.owner}{separator}application_name=test-{uuid4().hex}"


@asynccontextmanager
async def pool_of(url: str, size: int, **settings: Any) -> AsyncIterator[Database]:
    """Give a database with so many connections."""
    database = Database(url, pool_size=size, **settings)
    try:
        yield database
    finally:
        await database.close()


async def backends(urls: databases.Server, url: str, what: str = "count(*)") -> Any:
    """Ask the server of the connections that were made by a URL."""
    name = parse(url).connect_args["server_settings"]["application_name"]
    asked = f"SELECT {what} FROM pg_stat_activity WHERE application_name = '{name}'"  # noqa: S608  # our own
    return (await asyncio.to_thread(databases.run, urls.admin, asked))[0]


async def left_behind(database: Database) -> tuple[bool, str | None]:
    """Tell whether the session of a connection acts as who logged in, and in which project."""
    connection = await database.pool.take(None)
    asked = "SELECT session_user = current_user, nullif(current_setting('app.project_id', true), '')"
    found = await connection.driver.fetch(asked)
    database.pool.give_back(connection)
    return found[0][0], found[0][1]


@pytest.mark.parametrize("shared", ["", "&pgbouncer=true"])
async def test_two_projects_on_one_connection_never_see_each_other(
    url: str, api: Api, other: Api, shared: str
) -> None:
    for project in (api, other):
        await factories.agent(project)
    async with pool_of(url + shared, 1) as database:
        for before in WAYS:
            for after in WAYS:
                for project, way in ((api, before), (other, after)):
                    ids = await way(database, project.project_id)
                    assert ids == {project.project_id}, (before.__name__, after.__name__)


@pytest.mark.parametrize("way", WAYS)
async def test_a_session_that_others_share_is_left_as_it_was(
    url: str, api: Api, way: Callable[[Database, UUID], Awaitable[set[UUID]]]
) -> None:
    async with pool_of(f"{url}&pgbouncer=true", 1) as database:
        await way(database, api.project_id)
        assert await left_behind(database) == (True, None)


async def test_a_session_of_our_own_has_the_request_role_from_its_beginning(url: str) -> None:
    async with pool_of(url, 1, statement_timeout_ms=1234) as database:
        for settings in ("role", "statement_timeout", "jit", "TimeZone"):
            async with database.connection() as connection:
                found = await connection.scalar(text(f"SHOW {settings}"))
            expected = {"role": REQUEST_ROLE, "statement_timeout": "1234ms", "jit": "off", "TimeZone": "UTC"}
            assert found == expected[settings]
        # A connection that SQLAlchemy makes by itself has it too.
        async with database.pool.engine.connect() as connection:
            assert await connection.scalar(text("SELECT current_user")) == REQUEST_ROLE


@asynccontextmanager
async def pooler(url: str) -> AsyncIterator[str]:
    """Stand between as PgBouncer does, which tells a client the id of a process that is not the server's."""
    target = parse(url).url
    path = (
        f"{target.query['host']}/.s.PGSQL.{target.query.get('port', 5432)}" if "host" in target.query else ""
    )

    async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, told: bool) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(re.sub(rb"K\0\0\0\x0c....", b"K\0\0\0\x0c\0\0\0\1", data) if told else data)
                await sink.drain()
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = (
            asyncio.open_unix_connection(path) if path else asyncio.open_connection(target.host, target.port)
        )
        source, sink = await opened
        await asyncio.gather(
            pass_on(reader, sink, told=False), pass_on(source, writer, told=True), return_exceptions=True
        )

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"{url}&host={host}&port={port}&sslmode=disable"


async def test_a_pooler_that_the_url_does_not_tell_of_is_noticed(url: str, api: Api, other: Api) -> None:
    for project in (api, other):
        await factories.agent(project)
    async with pooler(url) as between, pool_of(between, 1) as database:
        for project in (api, other, api):
            for way in (by_statement, by_read, by_write):
                assert await way(database, project.project_id) == {project.project_id}
        assert await left_behind(database) == (True, None)


async def test_a_statement_is_one_round_trip_and_reads_and_writes_for_good(url: str, api: Api) -> None:
    async with pool_of(url, 1) as database:
        await by_statement(database, api.project_id)
        heard: list[str] = []
        connection = await database.pool.take(api.project_id)
        connection.driver.add_query_logger(lambda query: heard.append(query.query))
        database.pool.give_back(connection)
        change = "UPDATE projects SET name = $1 WHERE id = $2 RETURNING name"
        assert [
            tuple(row) for row in await database.statement(api.project_id, change, ["New", api.project_id])
        ] == [("New",)]
        await asyncio.sleep(0)  # the driver tells of a statement in the loop's next turn
        assert [query for query in heard if "typeinfo" not in query] == [change]
    assert await api.ask("{ project { name } }") == {"project": {"name": "New"}}


async def test_after_all_connections_were_lost_requests_go_well(
    database_server: databases.Server, url: str, api: Api
) -> None:
    await factories.agent(api)
    ways = [by_statement, by_read, by_write, by_none, by_statement]

    async def ask() -> list[set[UUID] | BaseException]:
        asked = (way(database, api.project_id) for way in ways)
        return await asyncio.gather(*asked, return_exceptions=True)

    async with pool_of(url, 5) as database:
        for _ in range(3):
            assert await ask() == [{api.project_id}] * 5
            assert await backends(database_server, url, "count(pg_terminate_backend(pid))")
            # The server's last word may be still on its way: who comes before it is told of it, once.
            for answer in await ask():
                if answer != {api.project_id}:
                    assert isinstance(answer, Exception)
                    assert isinstance(client_error(answer), OverloadedError), repr(answer)
        assert await ask() == [{api.project_id}] * 5


async def test_requests_that_lose_their_connection_say_so_and_tell_nothing_wrong(
    database_server: databases.Server, url: str, api: Api
) -> None:
    await factories.agent(api)
    slow = "SELECT project_id FROM agents, pg_sleep(60)"
    async with pool_of(url, 4) as database:
        for _ in range(3):
            asked = [asyncio.create_task(database.statement(api.project_id, slow, [])) for _ in range(4)]
            async with asyncio.timeout(20):
                while (
                    await backends(database_server, url, "count(*) FILTER (WHERE query LIKE '%pg_sleep%')")
                    < 4
                ):
                    assert not any(task.done() for task in asked)
            await backends(database_server, url, "count(pg_terminate_backend(pid))")
            for error in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(error, Exception)
                assert isinstance(client_error(error), OverloadedError), repr(error)
            for way in (by_statement, by_read, by_write):
                assert await way(database, api.project_id) == {api.project_id}


async def test_a_pool_holds_no_more_connections_than_it_may(
    database_server: databases.Server, url: str, api: Api
) -> None:
    async with pool_of(url, 3) as database:
        most = 0
        for _ in range(3):
            ways = [way for way in WAYS for _ in range(5)]
            asked = asyncio.gather(*(way(database, api.project_id) for way in ways))
            while not asked.done():
                most = max(most, await backends(database_server, url))
            await asked
        # A backend that was told to end may be seen for a moment beside the one that takes its place.
        assert 1 <= most <= 4
    async with asyncio.timeout(20):
        while await backends(database_server, url):
            pass


async def test_who_waits_first_is_served_first_and_who_gives_up_costs_nothing(url: str) -> None:
    async with pool_of(url, 1, pool_timeout_s=20) as database:
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
        # This one is served as it is given up: the connection goes on to the next.
        waiters[1].cancel()
        await asyncio.wait(waiters)
        assert served == [2, 4, 5]
        database.pool.give_back(await database.pool.take(None))


async def test_a_connection_that_nobody_waits_for_any_more_is_kept(
    database_server: databases.Server, url: str
) -> None:
    async with pool_of(url, 1) as database:
        for _ in range(5):
            taking = asyncio.create_task(database.pool.take(None))
            await asyncio.sleep(0)
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking
        connection = await database.pool.take(None)
        assert await backends(database_server, url) == 1
        database.pool.give_back(connection)


async def test_who_waits_too_long_is_told_so(url: str) -> None:
    async with pool_of(url, 1, pool_timeout_s=0.05) as database:
        connection = await database.pool.take(None)
        with pytest.raises(OverloadedError):
            await database.pool.take(None)
        database.pool.give_back(connection)
        database.pool.give_back(await database.pool.take(None))


async def test_a_connection_that_cannot_be_made_leaves_room_for_the_next(url: str) -> None:
    async with pool_of(f"{url}&host=/nowhere", 1, pool_timeout_s=5) as database:
        for _ in range(3):
            with pytest.raises(FileNotFoundError):
                await database.pool.take(None)


async def test_connections_of_a_certain_age_are_replaced(database_server: databases.Server, url: str) -> None:
    async with pool_of(f"{url}&pool_recycle=0", 1) as database:
        pids = set()
        for _ in range(3):
            connection = await database.pool.take(None)
            pids.add(connection.driver.get_server_pid())
            database.pool.give_back(connection)
        assert len(pids) == 3
        assert await backends(database_server, url) <= 2
