"""What tests of all parts stand on: a server, and a database on it with the tables of the migrations."""

import asyncio
from collections.abc import Iterator

import pytest

from agentdata import migrations, provision
from agentdata.database_urls import DatabaseUrls
from tests import databases


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
