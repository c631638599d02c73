"""Single connections outside of any pool, for setting up the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asyncpg.exceptions import ClientConfigurationError
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from agentdata.database_url import UNPREPARED, DatabaseTarget, parse
from agentdata.setup_error import SetupError

CONNECT_TIMEOUT_S = 15
DENIED = "42501"  # insufficient_privilege
_READ_ONLY = "25006"  # read_only_sql_transaction

_STOPPED = ("08", "40", "53", "55P03", "57", "58")
"""SQLSTATEs, or their beginnings, of work that the server gave up: connections, conflicts, room, locks."""


@asynccontextmanager
async def transaction(url: str) -> AsyncIterator[AsyncConnection]:
    """Run the block in one transaction on its own connection; commit it if no error occurs.

    Raises SetupError if the database cannot be reached, is read-only, denies a privilege or gives the work
    up, and DatabaseUrlError.
    """
    target = parse(url)
    # Behind a pooler, the next command may get this session and prepare statements under the same names.
    connect_args = {"timeout": CONNECT_TIMEOUT_S} | target.connect_args | UNPREPARED
    engine = create_async_engine(
        target.url, connect_args=connect_args, poolclass=NullPool, hide_parameters=True
    )
    try:
        connection = await engine.connect()
    except (TimeoutError, OSError, ClientConfigurationError, DBAPIError) as error:
        raise SetupError(f"cannot connect to {_name(target)}: {_reason(error)}") from None
    try:
        async with connection.begin():
            yield connection
    except DBAPIError as error:
        problem = _problem(target, error)
        if problem is None:
            raise
        raise SetupError(problem) from None
    finally:
        await connection.close()


def _problem(target: DatabaseTarget, error: DBAPIError) -> str | None:
    """Return what the operator has to know of an error of the database, or None if it is a fault of ours."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state == DENIED:
        return (
            f"{_reason(error)} for the user {target.url.username or ''} of {_name(target)}: "
            "set AGENTDATA_MIGRATION_DATABASE_URL to a URL of the tables' owner"
        )
    if state == _READ_ONLY:
        return f"{_name(target)} is read-only, as a replica is: name its primary in DATABASE_URL"
    if state.startswith(_STOPPED) or error.connection_invalidated:
        return f"{_name(target)} gave up ({_reason(error)}), and nothing was changed: try again"
    return None


def _name(target: DatabaseTarget) -> str:
    hosts = target.connect_args.get("host") or [
        target.url.query.get("host") or target.url.host or "localhost"
    ]
    port = f" port {target.url.port}" if target.url.port else ""
    return f"the database {target.url.database or target.url.username or ''} at {', '.join(hosts)}{port}"


def _reason(error: Exception) -> str:
    if isinstance(error, DBAPIError):
        # The text of SQLAlchemy's error adds a class and a link.
        reason, *_ = (str(error.orig).partition(": ")[2] or str(error.orig)).splitlines()
        return reason
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
