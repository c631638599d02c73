"""Access to the database for requests: transactions in one project, under a role that owns no tables."""

from __future__ import annotations

import asyncio
import math
import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, NewType

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from agentdata.database_url import parse
from agentdata.errors import AgentDataError
from agentdata.pool import Pool
from agentdata.sight.counts import COUNTS
from agentdata.turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from sqlalchemy.sql import Executable

    from agentdata.allowance import Allowance
    from agentdata.pool import Connection

WriteSession = NewType("WriteSession", AsyncSession)
"""A session whose transaction may write."""


_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"

# The share of the connections for writes that need the same lock, for writes to one project, and for all
# writes. A smaller share for one lock costs throughput: the next writer should already wait in the database.
# By default all operations of one project have half of the connections: its writes leave some to its reads.
_WRITE_PERCENT = (25, 35, 80)


class ReadSession(AsyncSession):
    """A session whose transaction may not write."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.sql, expire_on_commit=False, autoflush=False)
        self._driver = connection.driver

    async def read(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[Any]:
        """Run a statement and return its rows."""
        await self._driver.prepare_for(values.values())
        return (await self.execute(statement, values)).all()


class Database:
    """Reads and writes of one project at a time, on the connections of a pool."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_timeout_s: float = 30.0,
        statement_timeout_ms: int = 10_000,
        queue_length: int | None = None,
        secret: bytes | None = None,
        embedding_model: str | None = None,
    ) -> None:
        self.secret = secret or secrets.token_bytes(32)
        """Signs cursors. The servers of a database share it; alone, this pool has one of its own."""
        self.sizes_in_use: dict[Hashable, float] = {}
        """Until when it is believed, without a look, that there are vectors of a size to search."""
        self.embedding_model = embedding_model
        """The model that makes vectors of texts that have none; None if nobody makes any."""
        self.pool = Pool(
            parse(url), size=pool_size, timeout_s=pool_timeout_s, statement_timeout_ms=statement_timeout_ms
        )
        self.turns = Turns(self.pool.timeout_s, max_waiting=queue_length)
        self._write_places = [max(self.pool.size * each // 100, 1) for each in _WRITE_PERCENT]
        self._allowance: Allowance | None = None

    def within(self, allowance: Allowance | None) -> Database:
        """Return the database of one operation, which uses no more than its allowance; None has no bounds."""
        bounded = Database.__new__(Database)
        bounded.__dict__ = {**self.__dict__, "_allowance": allowance}
        return bounded

    def renew_time(self) -> None:
        """Let the operation run for as long again as an operation may."""
        if self._allowance is not None:
            self._allowance.renew()

    def left_s(self) -> float:
        """Return how many seconds the operation may still run.

        Raises:
            TimedOutError: The operation has reached its time limit.

        """
        if self._allowance is None:
            return math.inf
        self._allowance.check()
        return self._allowance.left_s

    def turn_to_write(
        self, project_id: UUID, contended: Iterable[Hashable]
    ) -> AbstractAsyncContextManager[None]:
        """Wait, without a connection, until a write may take one, and then run the block.

        A write that waits for a lock in the database holds its connection while it waits. So only a part of
        the connections is available to writes that need the same lock, to writes to one project, and to all
        writes.

        Raises:
            OverloadedError: Other writes took all turns for as long as a request may wait.
            TimedOutError: The operation has reached its time limit.

        """
        for_lock, for_project, for_all = self._write_places
        limits: list[tuple[Hashable, int]] = [
            ((project_id, thing), for_lock) for thing in sorted(contended, key=str)
        ]
        limits.append((project_id, for_project))
        allowance = self._allowance
        if allowance is None:
            return self.turns.take([*limits, (None, for_all)])
        allowance.check()
        # All writes come last, so that a write that waits for its key or project holds no turn of theirs.
        return self.turns.take([*limits, *allowance.places, (None, for_all)], most_s=allowance.left_s)

    async def statement(
        self,
        project_id: UUID,
        text: str,
        arguments: Sequence[Any],
        *,
        user_id: UUID | None = None,
        writes: bool = False,
    ) -> list[Any]:
        """Run one statement on the driver, as a transaction of its own, and return its rows.

        With ``user_id`` row-level security shows it only the rows of this end user, and it cannot write.

        The statement sees one snapshot, and its writes are durable when this returns. It takes one round
        trip, and a second one if the connection was last used in another project.

        Raises:
            LimitExceededError: The rows have more bytes than the operation may receive.
            OverloadedError: All connections stayed in use for as long as a request may wait.
            TimedOutError: The operation has reached its time limit.

        """
        connection = await self._take(project_id, user_id, reads=not writes)
        allowance = self._allowance
        started = perf_counter()
        try:
            if allowance is not None:
                allowance.begin(connection, counted=not writes)
            await connection.driver.prepare_for(arguments)
            if connection.driver.shares_session:
                async with _transaction_in(connection, _WRITE if writes else _READ, project_id, user_id):
                    return await connection.driver.fetch(text, *arguments)
            await connection.act_in(project_id, user_id)
            return await connection.driver.fetch(text, *arguments)
        except asyncpg.PostgresError as error:
            # After an ordinary error the session is idle again; a FATAL error ends it.
            connection.usable = getattr(error, "severity_en", "ERROR") == "ERROR"
            self._raise_refusal(connection, error)
            raise
        except BaseException as error:
            # A cancelled statement leaves the protocol in an unknown state.
            connection.usable = False
            self._raise_refusal(connection, error)
            raise
        finally:
            self._give_back(connection, reads=not writes)
            COUNTS.statement(started, text)

    @asynccontextmanager
    async def read(self, project_id: UUID, user_id: UUID | None = None) -> AsyncIterator[ReadSession]:
        """Open a read-only transaction on one snapshot of the data of a project, or of one end user there."""
        async with (
            self._transaction(_READ, project_id, user_id) as connection,
            ReadSession(connection) as session,
        ):
            yield session

    @asynccontextmanager
    async def write(self, project_id: UUID) -> AsyncIterator[WriteSession]:
        """Open a transaction that writes to one project; it commits if the block raises no error."""
        async with (
            self._transaction(_WRITE, project_id) as connection,
            AsyncSession(connection.sql, expire_on_commit=False, autoflush=False) as session,
        ):
            yield WriteSession(session)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Take a connection without a project: row-level security shows it no rows.

        Raises:
            OverloadedError: All connections stayed in use for as long as a request may wait.

        """
        connection = await self.pool.take(None)
        try:
            async with AsyncExitStack() as stack:
                if connection.driver.shares_session:
                    await stack.enter_async_context(_transaction_in(connection, _READ, None))
                else:
                    await connection.act_in(None)
                yield connection.sql
                # SQLAlchemy believes that it has begun a transaction, so it must end one.
                await connection.sql.rollback()
        except BaseException:
            connection.usable = False
            raise
        finally:
            self.pool.give_back(connection)

    async def close(self) -> None:
        """Close all connections."""
        await self.pool.close()

    @asynccontextmanager
    async def _transaction(
        self, begin: str, project_id: UUID, user_id: UUID | None = None
    ) -> AsyncIterator[Connection]:
        reads = begin == _READ
        connection = await self._take(project_id, user_id, reads=reads)
        try:
            if self._allowance is not None:
                self._allowance.begin(connection, counted=reads)
            async with _transaction_in(connection, begin, project_id, user_id):
                yield connection
        except BaseException as error:
            self._raise_refusal(connection, error)
            raise
        finally:
            self._give_back(connection, reads=reads)

    async def _take(self, project_id: UUID, user_id: UUID | None, *, reads: bool) -> Connection:
        """Take a connection, and for a read first the turns of its key and project, which a write has."""
        allowance = self._allowance
        if allowance is None:
            return await self.pool.take(project_id, user_id)
        allowance.check()
        places = allowance.places if reads else ()
        if not self.turns.take_now(places):
            await self.turns.wait(places, most_s=allowance.left_s)
        try:
            connection = self.pool.take_now(project_id, user_id)
            if connection is not None:
                return connection
            async with asyncio.timeout(allowance.left_s):
                return await self.pool.take(project_id, user_id)
        except BaseException as error:
            self.turns.give_back(places)
            if isinstance(error, TimeoutError):
                raise allowance.not_begun() from None
            raise

    def _give_back(self, connection: Connection, *, reads: bool) -> None:
        if self._allowance is not None:
            self._allowance.end(connection)
            if reads:
                self.turns.give_back(self._allowance.places)
        self.pool.give_back(connection)

    def _raise_refusal(self, connection: Connection, error: BaseException) -> None:
        """Raise the reason if the operation's own allowance made a statement fail."""
        is_ours = isinstance(error, Exception) and not isinstance(error, AgentDataError)
        if self._allowance is not None and is_ours:
            refusal = self._allowance.refusal(connection)
            if refusal is not None:
                raise refusal from error


@asynccontextmanager
async def _transaction_in(
    connection: Connection, begin: str, project_id: UUID | None, user_id: UUID | None = None
) -> AsyncIterator[None]:
    driver = connection.driver
    try:
        await driver.execute(connection.begin_statement(begin, project_id, user_id))
        yield
        started = perf_counter()
        done = await driver.execute("COMMIT")
        COUNTS.statement(started, "COMMIT")
        # After a failed statement COMMIT rolls back and says so; a lost write must not be reported as done.
        assert begin != _WRITE or done == "COMMIT", done  # noqa: S101  # the statement's error was raised first
    except BaseException:
        connection.usable = False
        if not driver.is_closed() and driver.is_in_transaction():
            await driver.execute("ROLLBACK")
            connection.usable = True
        raise
