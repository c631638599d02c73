"""The pool of database connections, and the settings of their sessions on the server.

We have our own pool because a checkout must cost almost nothing: SQLAlchemy's pool takes a greenlet and about
50 µs; asyncpg's takes about 25 µs, and SQLAlchemy cannot use its connections. This pool is a number of turns
and a list.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import asynccontextmanager
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import asyncpg
import orjson
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from agentdata import refusals
from agentdata.allowance import UNBOUNDED
from agentdata.database_url import UNPREPARED
from agentdata.errors import OverloadedError
from agentdata.exact_json import read_stored_json
from agentdata.sight.failures import describe
from agentdata.sight.statements import count_statements
from agentdata.turns import Turns
from agentdata.vectors import Vector
from models.base import END_USER_ROLE, PROJECT_SETTING, REQUEST_ROLE, USER_SETTING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
    from uuid import UUID

    from agentdata.database_url import DatabaseTarget
    from agentdata.turns import Limits

_log = logging.getLogger(__name__)

_CACHED_STATEMENT_BYTES = 64 * 1024
"""The longest statement that the driver keeps prepared; one statement can hold a whole operation."""

_SCHEMA_OF_VECTORS = """
SELECT nspname FROM pg_type JOIN pg_namespace AS own ON own.oid = typnamespace
WHERE pg_type.oid = to_regtype('vector')"""

_IS_PREPARED = "SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = $1)"

_TOO_MANY_CONNECTIONS = "53300"
_CANNOT_CONNECT_NOW = "57P03"
"""The SQLSTATE of a server that starts, stops or recovers."""

_RETRY_S = {_TOO_MANY_CONNECTIONS: 0.5, _CANNOT_CONNECT_NOW: 0.1}
"""How long a permit rests, in seconds, after the server refused a connection with one of these SQLSTATEs."""

_STARTING_S = 5.0
"""How long a request waits for a server that starts, in seconds. A recovery may take many minutes."""

_WARNING_INTERVAL_S = 60.0
"""The minimum time between two warnings that the server allows too few connections, in seconds."""


class Driver(asyncpg.Connection):
    """An asyncpg connection that knows the settings of its session on the server."""

    __slots__ = ("meter", "project_id", "shares_session", "takes_vectors", "user_id")

    project_id: UUID | None
    """The project whose rows the session shows outside of transactions; None shows no rows."""

    user_id: UUID | None
    """The end user whose rows alone the session shows; None shows all rows of the project."""

    shares_session: bool
    """Whether other clients use the session between transactions; then no setting may outlast one."""

    meter: Meter
    """Counts the bytes that the connection receives."""

    takes_vectors: bool
    """Whether statements may have vectors as parameters."""

    # What asyncpg.Connection has, but does not declare.
    _transport: asyncio.Transport
    _protocol: asyncio.Protocol
    _cancel: Callable[[asyncio.Future[None]], Awaitable[None]]

    def add_meter(self) -> None:
        """Count the bytes that the connection receives from now on."""
        self.meter = Meter(self._transport, self._protocol)
        self._transport.set_protocol(self.meter)

    async def prepare_for(self, parameters: Iterable[Any]) -> None:
        """Get ready to send the parameters of a statement: vectors are sent as they are stored.

        Without pgvector nothing happens, and the statement fails.
        """
        if not self.takes_vectors and any(type(each) is Vector for each in parameters):
            await self.take_vectors()

    async def take_vectors(self) -> bool:
        """Let statements have vectors as parameters; return False if the database lacks pgvector."""
        if not self.takes_vectors and (schema := await self.fetchval(_SCHEMA_OF_VECTORS)) is not None:
            sent = attrgetter("sent")
            await self.set_type_codec("vector", schema=schema, encoder=sent, decoder=bytes, format="binary")
            self.takes_vectors = True
        return self.takes_vectors

    async def cancel_statement(self) -> None:
        """Ask the server to cancel the statement that runs, which then fails as any other."""
        await self._cancel(asyncio.get_running_loop().create_future())


class Meter(asyncio.Protocol):
    """Counts the bytes that a connection receives, and closes the connection when none are left.

    The driver collects all rows of a statement before it returns any, so only here can they be bounded.
    """

    def __init__(self, transport: asyncio.Transport, driver: asyncio.Protocol) -> None:
        self.left = UNBOUNDED
        """How many bytes it may still receive; negative after it received more."""
        self._transport = transport
        self._feed = driver.data_received
        for name in ("connection_lost", "eof_received", "pause_writing", "resume_writing"):
            setattr(self, name, getattr(driver, name))

    def data_received(self, data: bytes) -> None:
        """Pass bytes on to the driver, or close the connection."""
        self.left -= len(data)
        if self.left < 0:
            self._transport.abort()
        else:
            self._feed(data)


INDEX_SETTINGS = (
    # As many as a search by meaning finds at most; an index looks for no fewer.
    "hnsw.ef_search = 100",
    # If other rows of the index are nearer than those of the search, it goes on. Searches sort what it finds.
    "hnsw.iterative_scan = relaxed_order",
)
"""The settings of searches by the indexes of pgvector. A server without it accepts and ignores them."""

_ALL_IN_USE = "all database connections are in use; try again shortly"


class _StatementsNotKeptError(Exception):
    """The pooler prepares statements on one session and may run them on another."""


class Connection:
    """One connection, as an object of SQLAlchemy and of the driver."""

    def __init__(self, sql: AsyncConnection, driver: Driver, settings: Sequence[str]) -> None:
        self.sql = sql
        self.driver = driver
        self._settings = settings
        self.created = time.monotonic()
        self.usable = True
        """Whether its state is certain, so that it may be used again."""

    def begin_statement(self, how: str, project_id: UUID | None, user_id: UUID | None = None) -> str:
        """Return the statements that open a transaction in a project, in one string for one round trip."""
        settings = self._settings if self.driver.shares_session else ()
        return "; SET LOCAL ".join((how, *settings, *self._changes(project_id, user_id)))

    async def act_in(self, project_id: UUID | None, user_id: UUID | None = None) -> None:
        """Set whose rows the session shows; not for a session that is shared with others."""
        driver = self.driver
        if driver.project_id != project_id or driver.user_id != user_id:
            changes = self._changes(project_id, user_id)
            # PostgreSQL runs them as one transaction, so none takes effect without the others.
            await driver.execute("; ".join(f"SET {change}" for change in changes))
            driver.project_id, driver.user_id = project_id, user_id

    def _changes(self, project_id: UUID | None, user_id: UUID | None) -> list[str]:
        """Return the settings that differ from those of the session."""
        driver = self.driver
        changes = []
        if driver.user_id != user_id:
            # The role of end users sees nothing without a user, so an empty setting cannot widen its view.
            role = REQUEST_ROLE if user_id is None else END_USER_ROLE
            changes += [f"ROLE {role}", f"{USER_SETTING} = '{user_id or ''}'"]
        if driver.project_id != project_id:
            # A UUID prints as hexadecimal digits and hyphens, so it needs no quoting.
            changes.append(f"{PROJECT_SETTING} = '{project_id or ''}'")
        return changes


class Pool:
    """A limited number of connections, each used by one request at a time.

    If the server allows fewer connections than the pool, requests wait for those that it allows. The permit
    of a refused connection rests for a while before it is used again, so the pool adapts to what the server
    allows.

    Row-level security depends on the settings of their sessions, and only this module changes them: a
    connection gets the request role when it is created, before anything else can use it, and its project is
    set outside of any transaction, so that no rollback undoes it. No statement of a request changes a setting
    for longer than its transaction. A connection in an uncertain state is discarded.
    """

    def __init__(
        self, target: DatabaseTarget, *, size: int, timeout_s: float | None, statement_timeout_ms: int
    ) -> None:
        self.timeout_s: float | None = target.pool_args.get("pool_timeout", timeout_s)
        self.size = target.pool_size(size)
        self._recycle_s: float = target.pool_args.get("pool_recycle", -1)
        # Each permit is the right to hold one connection: a free one, or a new one if none is free.
        self._permits = Turns(None, busy=_ALL_IN_USE, kind="connections")
        self._permit: Limits = ((None, self.size),)
        self._free: list[Connection] = []
        # Requests whose permit rests, in order of arrival; each waits for a permit or a connection.
        self._refused: deque[asyncio.Future[Connection | None]] = deque()
        self._next_warning = 0.0
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._target = target
        self._settings = (
            f"ROLE {REQUEST_ROLE}",
            f"statement_timeout = {statement_timeout_ms}",
            # JIT compilation of a statement takes longer than our statements run.
            "jit = off",
            "TimeZone = 'UTC'",
            # Times are read from the text that the server writes.
            "DateStyle = 'ISO'",
            *INDEX_SETTINGS,
        )
        self.engine = self._engine_of(target.connect_args, prepares=not target.pgbouncer)

    async def take(self, project_id: UUID | None, user_id: UUID | None = None) -> Connection:
        """Take a connection, preferably one whose session already shows the rows of the project or end user.

        Raises:
            OverloadedError: All connections stayed in use, or the server opened none, for as long as a
                request may wait.

        """
        until = self._deadline()
        if not self._permits.take_now(self._permit):
            await self._permits.wait(self._permit, most_s=self.timeout_s)
        connection = await self._free_connection(project_id, user_id)
        if connection is not None:
            return connection
        return await self._new_connection(project_id, user_id, until)

    def take_now(self, project_id: UUID | None, user_id: UUID | None = None) -> Connection | None:
        """Take a free connection as ``take`` does, or return None if there is none now."""
        if not self._free or not self._permits.take_now(self._permit):
            return None
        connection = self._pop_free(project_id, user_id)
        if self._is_alive(connection):
            return connection
        self._free.append(connection)
        self._permits.give_back(self._permit)
        return None

    def give_back(self, connection: Connection) -> None:
        """Return a connection to the pool, or discard it if it is not usable or not idle."""
        driver = connection.driver
        is_idle = connection.usable and not driver.is_closed() and not driver.is_in_transaction()
        if is_idle and not self._closed:
            self._pass_on(connection)
        else:
            self._discard(connection).add_done_callback(lambda _: self._pass_on(None))

    @property
    def in_use(self) -> int:
        """How many connections requests hold or open."""
        # The permits of requests that wait for the server to allow a connection rest.
        return self._permits.held(None) - len(self._refused)

    @property
    def waiting(self) -> int:
        """How many requests wait for a connection."""
        return self._permits.waiting + len(self._refused)

    @property
    def idle(self) -> int:
        """How many open connections nobody holds."""
        return len(self._free)

    async def close(self) -> None:
        """Close all connections; those in use are closed when they are given back."""
        self._closed = True
        while self._free:
            self._discard(self._free.pop())
        if self._closing:
            await asyncio.wait(self._closing)
        await self.engine.dispose()

    def _deadline(self) -> float | None:
        return None if self.timeout_s is None else asyncio.get_running_loop().time() + self.timeout_s

    def _pass_on(self, connection: Connection | None) -> None:
        """Pass a permit on, and its connection if it has one, to the request that waits longest."""
        while self._refused:
            waiting = self._refused.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        if connection is not None:
            self._free.append(connection)
        self._permits.give_back(self._permit)

    async def _free_connection(self, project_id: UUID | None, user_id: UUID | None) -> Connection | None:
        """Return a free connection for the permit of the caller, or None if there is none."""
        try:
            while self._free:
                connection = self._pop_free(project_id, user_id)
                if self._is_alive(connection):
                    return connection
                await asyncio.shield(self._discard(connection))
        except BaseException:
            self._pass_on(None)
            raise
        return None

    async def _new_connection(
        self, project_id: UUID | None, user_id: UUID | None, until: float | None
    ) -> Connection:
        """Open a connection for the permit of the caller, or wait for another one if the server refuses."""
        began = time.monotonic()
        while True:
            connecting = asyncio.create_task(self._connect())
            try:
                return await asyncio.shield(connecting)
            except asyncio.CancelledError:
                connecting.add_done_callback(self._keep_for_others)
                raise
            except BaseException as error:
                pause_s = self._pause_after(error, time.monotonic() - began)
                if pause_s is None:
                    self._pass_on(None)
                    raise
            if not self._free:
                asyncio.get_running_loop().call_later(pause_s, self._pass_on, None)
                async with _overloaded_after(until):
                    offered = await self._offered()
                if offered is not None:
                    self._free.append(offered)
            connection = await self._free_connection(project_id, user_id)
            if connection is not None:
                return connection

    def _pause_after(self, error: BaseException, waited_s: float) -> float | None:
        """Return how long to wait before the next attempt to connect, in seconds, or None to give up."""
        state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
        if state == _CANNOT_CONNECT_NOW and waited_s > _STARTING_S:
            return None
        if state == _TOO_MANY_CONNECTIONS and time.monotonic() >= self._next_warning:
            self._next_warning = time.monotonic() + _WARNING_INTERVAL_S
            _log.warning(
                "the database allows too few connections, so requests wait for each other: raise its"
                " max_connections, or lower AGENTDATA_POOL_SIZE (%s for each server process)",
                self.size,
            )
        return _RETRY_S.get(str(state))

    async def _offered(self) -> Connection | None:
        """Wait for a permit after the own one was put to rest, and return its connection if it has one."""
        offer: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._refused.append(offer)
        try:
            return await offer
        except asyncio.CancelledError:
            if not offer.cancelled():
                self._pass_on(offer.result())
            raise

    def _pop_free(self, project_id: UUID | None, user_id: UUID | None) -> Connection:
        """Return the free connection last used in the project, or else the one that was idle longest.

        For another role PostgreSQL plans a session's statements again, so requests with keys and those of
        end users prefer connections of their own.
        """
        free = self._free
        for index in range(len(free) - 1, -1, -1):
            driver = free[index].driver
            if driver.project_id == project_id and driver.user_id == user_id:
                return free.pop(index)
        for index, connection in enumerate(free):
            if (connection.driver.user_id is None) == (user_id is None):
                return free.pop(index)
        return free.pop(0)

    def _is_alive(self, connection: Connection) -> bool:
        if connection.driver.is_closed():
            return False
        return self._recycle_s < 0 or time.monotonic() - connection.created < self._recycle_s

    def _engine_of(self, connect_args: dict[str, Any], *, prepares: bool) -> AsyncEngine:
        engine = create_async_engine(
            self._target.url,
            poolclass=NullPool,
            # The callers open transactions themselves, together with their settings in one round trip.
            isolation_level="AUTOCOMMIT",
            # The texts of exceptions hold no parameters, wherever they may come to light.
            hide_parameters=True,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=read_stored_json,
            connect_args={"max_cacheable_statement_size": _CACHED_STATEMENT_BYTES}
            | connect_args
            # Every connection of the engine is set up, even if SQLAlchemy reconnects by itself.
            | {"async_creator_fn": partial(self._open, prepares=prepares)},
        )
        count_statements(engine.sync_engine)
        return engine

    async def _connect(self) -> Connection:
        sql = self.engine.connect()
        try:
            await sql.start()
        except _StatementsNotKeptError:
            # The URL does not mention the pooler, so the first connection finds out.
            self.engine = self._engine_of(self._target.connect_args | UNPREPARED, prepares=False)
            sql = self.engine.connect()
            await sql.start()
        driver = (await sql.get_raw_connection()).driver_connection
        return Connection(sql, cast("Driver", driver), self._settings)

    async def _open(self, *, prepares: bool, **arguments: Any) -> Driver:
        driver: Driver = await asyncpg.connect(connection_class=Driver, **arguments)
        try:
            driver.add_meter()
            driver.project_id = driver.user_id = None
            driver.takes_vectors = False
            driver.shares_session = self._target.pgbouncer
            if not driver.shares_session:
                # A pooler assigns one session for a transaction, so both checks reach the same session.
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

    def _keep_for_others(self, connecting: asyncio.Task[Connection]) -> None:
        """Keep a new connection for others if the request that wanted it was cancelled."""
        if connecting.cancelled() or connecting.exception() is not None:
            self._pass_on(None)
        else:
            self.give_back(connecting.result())

    def _discard(self, connection: Connection) -> asyncio.Task[None]:
        task = asyncio.create_task(_close(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task


@asynccontextmanager
async def _overloaded_after(deadline: float | None) -> AsyncIterator[None]:
    """Raise OverloadedError if the block is not done at a time of the event loop's clock."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        refusals.count("connections")
        raise OverloadedError(_ALL_IN_USE) from None


async def _is_shared(driver: Driver) -> bool:
    """Return whether a pooler such as PgBouncer gives the session to others between transactions.

    A pooler reports the id of a process other than the one that answers.
    """
    # A named statement would stay in a session that is not ours.
    statement = await driver.prepare("SELECT pg_backend_pid()", name="")
    return bool(await statement.fetchval() != driver.get_server_pid())


async def _check_statements_are_kept(driver: Driver) -> None:
    """Check that the pooler prepares a statement on every session that runs it.

    PgBouncer 1.21 and newer does if max_prepared_statements is set, under names of its own. A pooler that
    passes names on unchanged prepares a statement on one session only.

    Raises:
        _StatementsNotKeptError: The pooler passes names on unchanged.

    """
    name = f"agentdata_{uuid4().hex}"
    statement = await driver.prepare(_IS_PREPARED, name=name)
    if await statement.fetchval(name):
        await driver.execute(f"DEALLOCATE {name}")
        raise _StatementsNotKeptError


async def _close(connection: Connection) -> None:
    try:
        # This closes the connection gracefully if that takes less than two seconds, and otherwise by force.
        await connection.sql.invalidate()
        await connection.sql.close()
    except Exception as error:  # noqa: BLE001 - the connection is given up, whatever its state
        _log.debug("a connection was not closed gracefully: %s", describe(error))
