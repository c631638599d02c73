"""The fixtures of all tests: a server, a migrated database on it, and projects."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from agentdata import migrations, provision
from agentdata.database import Database
from agentdata.database_url import parse
from agentdata.database_urls import DatabaseUrls
from tests import databases
from tests.api import Api, make_api
from tests.world import Rows, populate, read


def pytest_xdist_auto_num_workers() -> int:
    """Run tests in more processes than there are cores, because many wait for servers to start and end."""
    return max(1, (os.cpu_count() or 1) * 3 // 2)


def pytest_collection_finish() -> None:
    """Exclude the schema, the models and the collected tests from garbage collection.

    Scanning them again and again takes a sixth of the time of a run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session")
def database_server() -> Iterator[databases.Server]:
    """Provide a database server, one for each worker of a parallel run."""
    with databases.server() as server:
        yield server


@pytest.fixture(scope="session")
def database_urls(database_server: databases.Server) -> Iterator[DatabaseUrls]:
    """Provide a migrated database that all tests share: each test writes to its own projects."""
    with database_server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        asyncio.run(provision.ensure_vectors(urls.owner))
        asyncio.run(migrations.upgrade(urls.owner))
        yield urls


@pytest.fixture(scope="session")
def database_url(database_urls: DatabaseUrls) -> str:
    """Provide the URL of the shared database for requests."""
    return database_urls.request


@pytest.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """Provide the pool of requests, which all tests share."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def owner(database_urls: DatabaseUrls) -> AsyncIterator[AsyncEngine]:
    """Provide connections of the owner of the tables, to whom row-level security does not apply."""
    target = parse(database_urls.owner)
    engine = create_async_engine(target.url, connect_args=target.connect_args, pool_size=2)
    yield engine
    await engine.dispose()


@pytest.fixture
async def api(database: Database, owner: AsyncEngine) -> Api:
    """Provide a project for one test."""
    return await make_api(database, owner)


@pytest.fixture
async def other(database: Database, owner: AsyncEngine) -> Api:
    """Provide another project, which the first one must not see."""
    return await make_api(database, owner)


@pytest.fixture(scope="session")
async def world(database: Database, owner: AsyncEngine) -> Api:
    """Provide the world, a project with some of everything; tests only read it."""
    api = await make_api(database, owner)
    await populate(api, owner)
    return api


@pytest.fixture(scope="session")
async def rows(world: Api) -> dict[str, Rows]:
    """Provide all rows of the world, by type and id."""
    return await read(world)
