"""The connections to the database: how many there are, and what their sessions on the server know.

The pool is ours because a checkout has to cost next to nothing: SQLAlchemy's takes a greenlet and some 50 µs,
asyncpg's some 25 µs and hands out connections that SQLAlchemy cannot use. This one is a semaphore and a list.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import asyncpg
import orjson
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from agentdata.database_url import UNPREPARED
from agentdata.errors import OverloadedError
from agentdata.exact_json import read_stored_json
from models.base import PROJECT_SETTING, REQUEST_ROLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from agentdata.database_url import DatabaseTarget

_log = logging.getLogger(__name__)

_CACHED_STATEMENT_BYTES = 64 * 1024
"""The longest statement that the driver keeps prepared; a whole operation can be one statement."""

_KNOWN = "SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = $1)"


class Driver(asyncpg.Connection):
    """A connection of asyncpg that knows what its session on the server is set to."""

    __slots__ = ("project_id", "shares_session")

    project_id: UUID | None
    """Whose rows the session shows outside of transactions; None shows no rows."""

    shares_session: bool
    """Whether others use the same session between transactions, so that nothing may be set in it for good."""


class _StatementsAreLostError(Exception):
    """A pooler prepares statements on one session, and may run them on another."""


class Connection:
    """One connection, as SQLAlchemy knows it and as the driver does."""

    def __init__(self, sql: AsyncConnection, driver: Driver, settings: Sequence[str]) -> None:
        self.sql = sql
        self.driver = driver
        self._settings = settings
        self.made = time.monotonic()
        self.usable = True
        """Whether nothing went wrong that leaves its state in doubt."""

    def begin(self, how: str, project_id: UUID | None) -> str:
        """Give the statements that open a transaction in a project, for one round trip."""
        settings = self._settings if self.driver.shares_session else ()
        if self.driver.project_id != project_id:
            settings = (*settings, f"{PROJECT_SETTING} = '{project_id or ''}'")
        return "; SET LOCAL ".join((how, *settings))

    async def act_in(self, project_id: UUID | None) -> None:
        """Show the rows of a project, or none, from now on; not for a session that others share."""
        driver = self.driver
        if driver.project_id != project_id:
            # A UUID prints as hexadecimal digits and hyphens, so it can be written in.
            await driver.execute(f"SET {PROJECT_SETTING} = '{project_id or ''}'")
            driver.project_id = project_id


class Pool:
    """A bounded number of connections, each used by one request at a time.

    Row-level security stands on what their sessions are set to, and that is set here alone: a connection
    gets the request role when it is made, before anything else can use it, and whose rows it shows is set
    outside of any transaction, so that no rollback takes it back. No statement of a request sets anything
    for longer than its transaction. A connection of which one cannot be sure is thrown away.
    """

    def __init__(
        self, target: DatabaseTarget, *, size: int, timeout_s: float | None, statement_timeout_ms: int
    ) -> None:
        given: dict[str, Any] = {"pool_size": size, "pool_timeout": timeout_s} | target.pool_args
        self.timeout_s: float | None = given["pool_timeout"]
        self.size: int = given["pool_size"] + given.get("max_overflow", 0)
        self._recycle_s: float = given.get("pool_recycle", -1)
        # Each permit is the right to hold one connection: a free one, or a new one where none is free.
        self._permits = asyncio.Semaphore(self.size)
        self._free: list[Connection] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._target = target
        self._settings = (
            f"ROLE {REQUEST_ROLE}",
            f"statement_timeout = {statement_timeout_ms}",
            # Compiling a statement takes longer than any of ours may run.
            "jit = off",
            "TimeZone = 'UTC'",
            # Times are read as the text that the server makes of them.
            "DateStyle = 'ISO'",
        )
        self.engine = self._engine_of(target.connect_args, prepares=not target.pgbouncer)

    async def take(self, project_id: UUID | None) -> Connection:
        """Take a connection, if there is a choice one whose session shows the project's rows already.

        Raises:
            OverloadedError: All connections stayed in use for as long as a request may wait.

        """
        if self._permits.locked():
            try:
                async with asyncio.timeout(self.timeout_s):
                    await self._permits.acquire()
            except TimeoutError:
                raise OverloadedError("all database connections are in use; try again shortly") from None
        else:
            await self._permits.acquire()
        try:
            while self._free:
                connection = self._next(project_id)
                if self._lives(connection):
                    return connection
                await asyncio.shield(self._throw_away(connection))
        except BaseException:
            self._permits.release()
            raise
        making = asyncio.create_task(self._connect())
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(self._made_for_nobody)
            raise
        except BaseException:
            self._permits.release()
            raise

    def give_back(self, connection: Connection) -> None:
        """Let others use a connection; it is thrown away where it is not usable, or is not at rest."""
        driver = connection.driver
        at_rest = connection.usable and not driver.is_closed() and not driver.is_in_transaction()
        if at_rest and not self._closed:
            self._free.append(connection)
            self._permits.release()
        else:
            self._throw_away(connection).add_done_callback(lambda _: self._permits.release())

    async def close(self) -> None:
        """Close all connections, those in use as soon as they are given back."""
        self._closed = True
        while self._free:
            self._throw_away(self._free.pop())
        if self._closing:
            await asyncio.wait(self._closing)
        await self.engine.dispose()

    def _next(self, project_id: UUID | None) -> Connection:
        """Give the free connection that was used last in the project, or else the one that rested longest."""
        free = self._free
        for place in range(len(free) - 1, -1, -1):
            if free[place].driver.project_id == project_id:
                return free.pop(place)
        return free.pop(0)

    def _lives(self, connection: Connection) -> bool:
        if connection.driver.is_closed():
            return False
        return self._recycle_s < 0 or time.monotonic() - connection.made < self._recycle_s

    def _engine_of(self, connect_args: dict[str, Any], *, prepares: bool) -> AsyncEngine:
        return create_async_engine(
            self._target.url,
            poolclass=NullPool,
            # Whoever takes a connection opens transactions, with their settings in the same round trip.
            isolation_level="AUTOCOMMIT",
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=read_stored_json,
            connect_args={"max_cacheable_statement_size": _CACHED_STATEMENT_BYTES}
            | connect_args
            # Whatever the engine connects is set up, also where it connects anew by itself.
            | {"async_creator_fn": partial(self._open, prepares=prepares)},
        )

    async def _connect(self) -> Connection:
        sql = self.engine.connect()
        try:
            await sql.start()
        except _StatementsAreLostError:
            # The URL did not tell of the pooler, so this is learned with the first connection.
            self.engine = self._engine_of(self._target.connect_args | UNPREPARED, prepares=False)
            sql = self.engine.connect()
            await sql.start()
        driver = (await sql.get_raw_connection()).driver_connection
        return Connection(sql, cast("Driver", driver), self._settings)

    async def _open(self, *, prepares: bool, **arguments: Any) -> Driver:
        driver: Driver = await asyncpg.connect(connection_class=Driver, **arguments)
        try:
            driver.project_id = None
            driver.shares_session = self._target.pgbouncer
            if not driver.shares_session:
                # A pooler lends one session for a transaction, so both questions reach the same.
                async with driver.transaction():
                    driver.shares_session = await _is_shared(driver)
                    if driver.shares_session and prepares:
                        await _check_statements_are_kept(driver)
            if not driver.shares_session:
                settings = (*self._settings, "default_transaction_isolation = 'read committed'")
                await driver.execute("; ".join(f"SET {setting}" for setting in settings))
        except BaseException:
            driver.terminate()
            raise
        return driver

    def _made_for_nobody(self, making: asyncio.Task[Connection]) -> None:
        """Keep a connection whose taker was cancelled while it was made."""
        if making.cancelled() or making.exception() is not None:
            self._permits.release()
        else:
            self.give_back(making.result())

    def _throw_away(self, connection: Connection) -> asyncio.Task[None]:
        task = asyncio.create_task(_close(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task


async def _is_shared(driver: Driver) -> bool:
    """Tell whether a pooler such as PgBouncer gives the session to others between transactions.

    It names another process than the one that answers.
    """
    # Under a name the statement would stay with a session that is not ours.
    asked = await driver.prepare("SELECT pg_backend_pid()", name="")
    return bool(await asked.fetchval() != driver.get_server_pid())


async def _check_statements_are_kept(driver: Driver) -> None:
    """Find out whether the pooler prepares statements on whichever session they run on.

    PgBouncer does from 1.21, where max_prepared_statements is set, under names of its own. One that passes
    names on as they are prepares a statement on one session only.

    Raises:
        _StatementsAreLostError: It does not.

    """
    name = f"agentdata_{uuid4().hex}"
    asked = await driver.prepare(_KNOWN, name=name)
    if await asked.fetchval(name):
        await driver.execute(f"DEALLOCATE {name}")
        raise _StatementsAreLostError


async def _close(connection: Connection) -> None:
    try:
        # This closes the connection in order if that is possible within two seconds, and otherwise without.
        await connection.sql.invalidate()
        await connection.sql.close()
    except Exception:  # noqa: BLE001 - it is given up, whatever state it is in
        _log.debug("a connection was not closed in order", exc_info=True)
