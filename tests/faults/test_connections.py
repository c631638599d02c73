"""A server that allows fewer connections than the pool has makes requests wait; it refuses none."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from agentdata import provision
from agentdata.database_url import parse
from agentdata.errors import OverloadedError
from models.base import REQUEST_ROLE
from tests import databases
from tests.test_database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Allow = Callable[[int], None]
    """A function that sets how many connections the database allows."""

SHORT = "SELECT pg_sleep(0.005)"


@pytest.fixture(scope="module")
def url(database_server: databases.Server) -> Iterator[str]:
    """Provide a database whose user is no superuser, because a superuser has connections of its own."""
    with database_server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        user, password = f"few_{uuid4().hex}", uuid4().hex
        databases.run(
            database_server.admin,
            f"CREATE ROLE {user} LOGIN PASSWORD '{password}'",
            f"GRANT {REQUEST_ROLE} TO {user} WITH INHERIT FALSE, SET TRUE",
        )
        yield databases.as_user(urls.request, user, password)
        databases.run(database_server.admin, f"DROP ROLE {user}")


@pytest.fixture
def allow(database_server: databases.Server, url: str) -> Iterator[Allow]:
    """Provide a function that sets how many connections the database allows, which are all until then."""
    name = parse(url).url.database

    def limit(count: int) -> None:
        databases.run(database_server.admin, f"ALTER DATABASE {name} CONNECTION LIMIT {count}")

    yield limit
    limit(-1)


async def connections(database_server: databases.Server, url: str) -> int:
    """Return the number of connections to the database."""
    statement = f"SELECT numbackends FROM pg_stat_database WHERE datname = '{parse(url).url.database}'"  # noqa: S608  # from this file
    return int((await asyncio.to_thread(databases.run, database_server.admin, statement))[0])


async def test_requests_share_the_connections_that_the_server_allows(
    url: str, allow: Allow, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(allow, 3)
    with caplog.at_level(logging.WARNING, logger="agentdata.pool"):
        async with open_database(url, 20, pool_timeout_s=20) as database:
            work = [database.statement(uuid4(), SHORT, []) for _ in range(400)]
            assert len(await asyncio.gather(*work)) == 400
    [said] = [record.getMessage() for record in caplog.records]
    assert "raise its max_connections, or lower AGENTDATA_POOL_SIZE (20" in said


async def test_a_pool_grows_when_the_server_allows_more(
    database_server: databases.Server, url: str, allow: Allow
) -> None:
    await asyncio.to_thread(allow, 1)
    async with open_database(url, 4, pool_timeout_s=20) as database:
        async with asyncio.timeout(20):
            await asyncio.gather(*(database.statement(uuid4(), SHORT, []) for _ in range(40)))
            assert await connections(database_server, url) == 1
            await asyncio.to_thread(allow, -1)
            while await connections(database_server, url) < 4:
                await asyncio.gather(*(database.statement(uuid4(), SHORT, []) for _ in range(40)))


async def test_a_request_without_any_connection_is_refused_in_time(url: str, allow: Allow) -> None:
    await asyncio.to_thread(allow, 0)
    async with open_database(url, 2, pool_timeout_s=0.3) as database:
        for _ in range(2):
            waiting = [database.statement(uuid4(), SHORT, []) for _ in range(5)]
            for refusal in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(refusal, OverloadedError), repr(refusal)
        await asyncio.to_thread(allow, 1)
        # The permits of the refused connections rest for half a second.
        database.pool.timeout_s = 20
        await asyncio.gather(*(database.statement(uuid4(), SHORT, []) for _ in range(5)))


async def test_cancelled_requests_leave_their_permits_to_others(url: str, allow: Allow) -> None:
    await asyncio.to_thread(allow, 1)
    async with open_database(url, 3, pool_timeout_s=20) as database:
        for pause in (0, 0.001, 0.004, 0.02) * 5:
            waiting = [asyncio.create_task(database.statement(uuid4(), SHORT, [])) for _ in range(6)]
            await asyncio.sleep(pause)
            for task in waiting[::2]:
                task.cancel()
            done = await asyncio.gather(*waiting, return_exceptions=True)
            assert [each for each in done[1::2] if isinstance(each, BaseException)] == []
        held = [await database.pool.take(None)]
        await asyncio.to_thread(allow, -1)
        async with asyncio.timeout(20):
            held += [await database.pool.take(None) for _ in range(2)]
        assert len(held) == database.pool.size
        for connection in held:
            database.pool.give_back(connection)
