"""What tests of all parts stand on: a server, and a database on it with the tables of the migrations."""

import asyncio
import gc
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


def pytest_collection_finish() -> None:
    """Have the collector leave alone what stays: the schema, the models and a thousand tests.

    To go through all of it again and again takes a sixth of the time of a run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session")
def database_server() -> Iterator[databases.Server]:
    """Provide the server that databases are made on, one for each worker of a parallel run."""
    with databases.server() as server:
        yield server


@pytest.fixture(scope="session")
def database_urls(database_server: databases.Server) -> Iterator[DatabaseUrls]:
    """Provide a migrated database, shared by all tests: what a test writes belongs to projects of its own."""
    with database_server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        asyncio.run(migrations.upgrade(urls.owner))
        yield urls


@pytest.fixture(scope="session")
def database_url(database_urls: DatabaseUrls) -> str:
    """Provide the URL that requests use on the shared database."""
    return database_urls.request


@pytest.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """Provide the pool that requests use, shared by all tests."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def owner(database_urls: DatabaseUrls) -> AsyncIterator[AsyncEngine]:
    """Provide connections of the tables' owner, whom row-level security does not hold back."""
    target = parse(database_urls.owner)
    engine = create_async_engine(target.url, connect_args=target.connect_args, pool_size=2)
    yield engine
    await engine.dispose()


@pytest.fixture
async def api(database: Database, owner: AsyncEngine) -> Api:
    """Provide a project of the test's own."""
    return await make_api(database, owner)


@pytest.fixture
async def other(database: Database, owner: AsyncEngine) -> Api:
    """Provide another project, of which the first must see nothing."""
    return await make_api(database, owner)


@pytest.fixture(scope="session")
async def world(database: Database, owner: AsyncEngine) -> Api:
    """Provide a project that has some of everything; tests only read it."""
    api = await make_api(database, owner)
    await populate(api, owner)
    return api


@pytest.fixture(scope="session")
async def rows(world: Api) -> dict[str, Rows]:
    """Provide all rows of the world, by their types and ids."""
    return await read(world)
