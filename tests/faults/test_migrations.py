"""Migrations that cannot run, or are interrupted, end with a sentence and leave whole tables."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from agentdata import migrations, provision
from agentdata.connection import transaction
from agentdata.database_url import parse
from agentdata.setup_error import SetupError
from tests.commands import start
from tests.databases import run
from tests.faults.clusters import OWNER, cluster
from tests.test_cli import refused, succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerProcess

    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.faults.clusters import Cluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """Provide a server with the role of requests."""
    with cluster() as server:
        asyncio.run(provision.ensure_role(server.url()))
        yield server


@pytest.fixture
def url(server: Cluster) -> Iterator[str]:
    """Provide a database without tables."""
    name = f"test_{uuid4().hex}"
    run(server.url(), f"CREATE DATABASE {name}")
    yield server.url(database=name)
    run(server.url("postgres"), f"DROP DATABASE {name} WITH (FORCE)")


def environment(url: str) -> dict[str, str]:
    """Return the environment of a command on a database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTDATA_")}
    return kept | {"DATABASE_URL": url}


def test_upgrading_before_the_role_exists_names_the_missing_command() -> None:
    with cluster() as fresh:
        url = environment(fresh.url())
        for command in (["db", "upgrade"], ["db", "upgrade", "+1"]):
            assert "has no role agentdata_app: run `agentdata db init`" in refused(url, *command)
        # Before it stands a note if the PostgreSQL has no pgvector.
        assert succeeded(url, "db", "init").endswith("The role agentdata_app is ready.\n")
        assert succeeded(url, "db", "upgrade").endswith("(head)\n")


def test_commands_on_a_replica_say_that_it_is_read_only(server: Cluster) -> None:
    asyncio.run(migrations.upgrade(server.url()))
    url = environment(server.url())
    below = succeeded(url, "db", "downgrade", "-1")
    with server.replica() as replica:
        copied = environment(replica.url())
        for command in (
            ["db", "upgrade"],
            ["db", "downgrade", "-1"],
            ["projects", "create", "acme"],
            ["search-language", "english"],
            ["serve"],
        ):
            assert "is read-only, as a replica is: name its primary" in refused(copied, *command), command
        assert succeeded(copied, "db", "current") == below


BLOCK = "LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"
WAITING = """
    SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"""


async def waiting_backend(watching: AsyncConnection, process: ForkServerProcess | None = None) -> int:
    """Return the id of the backend that waits for a lock, once there is one."""
    async with asyncio.timeout(60):
        while (found := await watching.scalar(text(WAITING))) is None:
            assert process is None or process.is_alive()
            await watching.execute(text("SELECT pg_stat_clear_snapshot()"))
    return int(found)


async def test_a_migration_that_the_server_stops_changes_nothing(server: Cluster, url: str) -> None:
    # After these come migrations that lock the table.
    await migrations.upgrade(url, "0002")
    await asyncio.to_thread(
        run, server.url("postgres"), f"ALTER ROLE {OWNER} SET statement_timeout = '500ms'"
    )
    try:
        async with transaction(url) as blocking:
            await blocking.execute(text(BLOCK))
            with pytest.raises(SetupError, match=r"gave up \(canceling .*\), and nothing was changed"):
                await migrations.upgrade(url)
    finally:
        await asyncio.to_thread(run, server.url("postgres"), f"ALTER ROLE {OWNER} RESET statement_timeout")
    assert await migrations.current(url) == "0002"


async def test_a_migration_whose_process_was_killed_is_completed_by_the_next(url: str) -> None:
    # After these come migrations that lock the table.
    await migrations.upgrade(url, "0002")
    async with transaction(url) as blocking, transaction(url) as watching:
        await blocking.execute(text(BLOCK))
        process = start(environment(url), "db", "upgrade")
        await waiting_backend(watching, process)
        process.kill()
        process.join()
        assert await migrations.current(url) == "0002"
    await asyncio.gather(migrations.upgrade(url), migrations.upgrade(url))
    assert await migrations.current(url) == migrations.head()
    await migrations.check(url)


async def test_a_migration_that_lost_its_connection_says_so(server: Cluster, url: str) -> None:
    await migrations.upgrade(url, "0002")
    async with (
        transaction(url) as blocking,
        transaction(server.url("postgres", str(parse(url).url.database))) as watching,
    ):
        await blocking.execute(text(BLOCK))
        migration = asyncio.create_task(migrations.upgrade(url))
        backend = await waiting_backend(watching)
        await watching.execute(text(f"SELECT pg_terminate_backend({backend})"))
        with pytest.raises(SetupError, match=r"gave up .*, and nothing was changed: try again"):
            await migration
    assert await migrations.current(url) == "0002"
    await migrations.upgrade(url)
    assert await migrations.current(url) == migrations.head()
