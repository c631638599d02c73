"""The request role is created if possible, and errors name what makes it unusable."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from agentdata import migrations, provision
from agentdata.database_urls import DatabaseUrls
from agentdata.setup_error import SetupError
from models.base import REQUEST_ROLE
from tests.databases import Server, as_user, run


@pytest.fixture
def urls(database_server: Server) -> Iterator[DatabaseUrls]:
    with database_server.fresh_database() as urls:
        yield urls


@pytest.fixture
def user(database_server: Server) -> Iterator[str]:
    """Provide a login role without privileges."""
    name = f"agentdata_test_{uuid4().hex}"
    run(database_server.admin, f"CREATE ROLE {name} LOGIN PASSWORD 'made-up'")
    yield name
    run(database_server.admin, f"DROP ROLE {name}")


def test_the_request_role_is_created_once(urls: DatabaseUrls) -> None:
    for _ in range(2):
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
    asyncio.run(provision.check(urls.request))
    assert run(urls.request, f"SET ROLE {REQUEST_ROLE}", "SELECT current_user") == [None, REQUEST_ROLE]


def test_an_error_names_a_user_who_may_not_use_the_request_role(urls: DatabaseUrls, user: str) -> None:
    asyncio.run(provision.ensure_role(urls.owner))
    lesser = as_user(urls.owner, user, "made-up")
    with pytest.raises(SetupError, match=f"{user} may not become {REQUEST_ROLE}.*agentdata db init"):
        asyncio.run(provision.check(lesser))
    with pytest.raises(SetupError, match=f"superuser must run GRANT {REQUEST_ROLE} TO .*{user}"):
        asyncio.run(provision.ensure_role(lesser))


def test_an_error_names_a_missing_schema(urls: DatabaseUrls) -> None:
    separator = "&" if "?" in urls.owner else "?"
    with pytest.raises(SetupError, match='no schema "nowhere"'):
        asyncio.run(provision.ensure_role(f"{urls.owner}{separator}schema=nowhere"))


def test_an_error_names_an_unreachable_database() -> None:
    with pytest.raises(
        SetupError, match="cannot connect to the database data at localhost port 1: "
    ) as error:
        asyncio.run(provision.check("postgresql://ann:secret@localhost:1/data"))
    assert "secret" not in str(error.value)


def test_an_error_names_a_missing_database(urls: DatabaseUrls) -> None:
    with pytest.raises(SetupError, match=r'cannot connect.*"nowhere" does not exist'):
        asyncio.run(provision.check(f"{urls.request}{'&' if '?' in urls.request else '?'}dbname=nowhere"))


def test_an_error_names_a_user_who_does_not_own_the_tables(database_urls: DatabaseUrls, user: str) -> None:
    lesser = as_user(database_urls.owner, user, "made-up")
    with pytest.raises(SetupError, match=f"for the user {user} of .*: set AGENTDATA_MIGRATION_DATABASE_URL"):
        asyncio.run(migrations.upgrade(lesser))
