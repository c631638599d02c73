"""The database, as requests see it: one transaction in one project, under the role that owns nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NewType

import orjson
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from agentdata.database_url import parse
from agentdata.errors import OverloadedError
from models.base import PROJECT_SETTING, REQUEST_ROLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

ReadSession = NewType("ReadSession", AsyncSession)
"""A session whose transaction may not write."""

WriteSession = NewType("WriteSession", AsyncSession)
"""A session whose transaction may write."""


_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"


class Database:
    """A pool of connections and the two kinds of transaction that run on it."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_timeout_s: float = 30.0,
        statement_timeout_ms: int = 10_000,
    ) -> None:
        target = parse(url)
        self.engine = create_async_engine(
            target.url,
            # Transactions are opened below, with their settings in the same round trip.
            isolation_level="AUTOCOMMIT",
            # They are ended below as well, or the connection with them: there is nothing left to reset.
            pool_reset_on_return=None,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args=target.connect_args,
            **{"pool_size": pool_size, "max_overflow": 0, "pool_timeout": pool_timeout_s} | target.pool_args,
        )
        self._statement_timeout_ms = statement_timeout_ms

    @asynccontextmanager
    async def read(self, project_id: UUID) -> AsyncIterator[ReadSession]:
        """Open a transaction on one snapshot of a project's data, in which nothing can be written."""
        async with self._transaction(_READ, project_id) as connection, _session(connection) as session:
            yield ReadSession(session)

    @asynccontextmanager
    async def write(self, project_id: UUID) -> AsyncIterator[WriteSession]:
        """Open a transaction that writes to one project; it commits where the block ends without an error."""
        async with self._transaction(_WRITE, project_id) as connection, _session(connection) as session:
            yield WriteSession(session)

    @asynccontextmanager
    async def read_by_driver(self, project_id: UUID) -> AsyncIterator[Any]:
        """Open a transaction as ``read`` does, and give the driver's connection, for compiled statements."""
        async with self._transaction(_READ, project_id) as connection:
            yield (await connection.get_raw_connection()).driver_connection

    async def statement(self, project_id: UUID, text: str, arguments: Sequence[Any]) -> list[Any]:
        """Run one statement."""
        async with self.read_by_driver(project_id) as driver:
            records: list[Any] = await driver.fetch(text, *arguments)
            return records

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Take a connection that has no project: row-level security shows it no rows.

        Raises:
            OverloadedError: All connections stayed in use for as long as a request may wait.

        """
        connection = self.engine.connect()
        try:
            await connection.start()
        except PoolTimeoutError:
            raise OverloadedError("all database connections are in use; try again shortly") from None
        try:
            yield connection
        finally:
            # A request that is cancelled gives its connection back all the same.
            await asyncio.shield(connection.close())

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    @asynccontextmanager
    async def _transaction(self, begin: str, project_id: UUID) -> AsyncIterator[AsyncConnection]:
        async with self.connection() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            try:
                # One round trip. A UUID prints as hexadecimal digits and hyphens, so it can be written in.
                await driver.execute(
                    f"{begin}; SET LOCAL ROLE {REQUEST_ROLE}; SET LOCAL {PROJECT_SETTING} = '{project_id}';"
                    f" SET LOCAL statement_timeout = {self._statement_timeout_ms}"
                )
                yield connection
                await driver.execute("COMMIT")
            except BaseException:
                # A cancelled statement leaves the protocol in the middle: such a connection has no future.
                usable = not driver.is_closed() and driver.is_in_transaction()
                try:
                    if usable:
                        await driver.execute("ROLLBACK")
                except BaseException:
                    usable = False
                    raise
                finally:
                    if not usable:
                        await connection.invalidate()
                raise


def _session(connection: AsyncConnection) -> AsyncSession:
    return AsyncSession(connection, expire_on_commit=False, autoflush=False)
