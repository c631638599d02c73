"""The indexes of searches by meaning: one for each table and each size of vectors in use.

An index holds vectors of one size, so none can be created before the first ones come. A task of the server
looks for sizes that have more rows than searches compare one by one, and creates their indexes while others
write. It also drops the indexes of sizes that are no longer in use.

To add a row to an index takes longer than to build the index with it. So while a size is filled, which mostly
happens once, its index waits.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from agentdata.connection import CONNECT_TIMEOUT_S
from agentdata.database_url import UNPREPARED, parse
from agentdata.sight.failures import describe
from models import KnowledgeEmbedding, MemoryEmbedding, MessageEmbedding
from models.embedding import MAX_DIMENSIONS, index_name
from resolvers.meaning import MAX_COMPARED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

_log = logging.getLogger(__name__)

INTERVAL_S = 10.0
"""How often the task looks for new sizes, in seconds."""

_FILLED_BY = 0.05
"""By how much of its rows a size that is filled grows from one look to the next."""

LOCK = 0x766563746F72
"""The advisory lock of the server that creates indexes. Any number, but the same in every version."""

_TABLES = tuple(str(each.__tablename__) for each in (KnowledgeEmbedding, MemoryEmbedding, MessageEmbedding))

_NODE_BYTES = 600
"""The memory that the neighbors of a vector in the graph take while its index is built."""

_LEAST_MB, _MOST_MB = 64, 2_000

_NO_ROOM = "53"
"""SQLSTATEs of resources that the server lacks begin so."""

# A recursive query that skips from one size to the next, in an index.
_SIZES = """
WITH RECURSIVE sizes (dimensions) AS (
  (SELECT dimensions FROM {table} ORDER BY dimensions LIMIT 1)
  UNION ALL
  SELECT (SELECT dimensions FROM {table} WHERE dimensions > sizes.dimensions ORDER BY dimensions LIMIT 1)
  FROM sizes WHERE sizes.dimensions IS NOT NULL
)
SELECT dimensions FROM sizes WHERE dimensions IS NOT NULL"""

_IS_LARGE = """
SELECT count(*) > :compared FROM (
  SELECT FROM {table} WHERE dimensions = :dimensions LIMIT :compared + 1
) AS own"""

_COUNT = "SELECT count(*) FROM {table} WHERE dimensions = :dimensions"

_INDEXES = """
SELECT own.relname AS name, indisvalid AS is_valid FROM pg_index JOIN pg_class AS own ON own.oid = indexrelid
WHERE indrelid = to_regclass(:table) AND own.relname LIKE :pattern"""

_CREATE = """
CREATE INDEX CONCURRENTLY {name} ON {table}
USING hnsw ((embedding::halfvec({dimensions})) halfvec_cosine_ops) WHERE dimensions = {dimensions}"""


class _Index(NamedTuple):
    """An index that there is, or should be."""

    table: str
    dimensions: int

    @property
    def name(self) -> str:
        return index_name(self.table, self.dimensions)


async def maintain(url: str) -> None:
    """Create and drop indexes as they are needed, until the task is cancelled.

    ``url`` is that of the owner of the tables.
    """
    rows: dict[str, int] = {}
    while True:
        try:
            await update(url, rows)
        except (OSError, TimeoutError, DBAPIError) as error:
            # Requests tell that the database is lost; the task tries again.
            _log.warning("indexes of vectors could not be looked after: %s", describe(error))
        await asyncio.sleep(INTERVAL_S)


async def update(url: str, rows: dict[str, int] | None = None) -> list[str]:
    """Create the indexes that are missing and drop those without rows; return the names of both.

    ``rows`` remembers from one look to the next how many rows a missing index will have: while they grow
    fast, and at the first look, it is not created. Nothing happens if the database lacks pgvector, or if
    another server is at it.
    """
    changed = []
    async with _connected(url) as connection:
        if not await _scalar(connection, "SELECT to_regtype('halfvec') IS NOT NULL"):
            return []
        if not await _scalar(connection, "SELECT pg_try_advisory_lock(:lock)", lock=LOCK):
            return []
        try:
            for table in _TABLES:
                changed += await _update_table(connection, table, rows)
        finally:
            # A lost connection has given up the lock.
            with suppress(DBAPIError):
                await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
    return changed


async def _update_table(connection: AsyncConnection, table: str, rows: dict[str, int] | None) -> list[str]:
    if not await _scalar(connection, "SELECT to_regclass(:table) IS NOT NULL", table=table):
        return []
    found = await connection.execute(text(_SIZES.format(table=table)))
    used = [_Index(table, row.dimensions) for row in found if 1 <= row.dimensions <= MAX_DIMENSIONS]
    names = {index.name for index in used}
    found = await connection.execute(text(_INDEXES), {"table": table, "pattern": r"%\_hnsw\_idx"})
    valid = {row.name: row.is_valid for row in found}
    changed = []
    for name, is_valid in valid.items():
        # Whoever was building an invalid index is gone: this connection holds the lock.
        if name not in names or not is_valid:
            await connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
            changed.append(name)
    for index in used:
        if valid.get(index.name) or not await _is_large(connection, index):
            continue
        number = await _scalar(connection, _COUNT.format(table=index.table), dimensions=index.dimensions)
        if rows is not None:
            before, rows[index.name] = rows.get(index.name, 0), number
            if not before <= number <= before * (1 + _FILLED_BY):
                continue
            del rows[index.name]
        await _create(connection, index, number)
        changed.append(index.name)
    return changed


async def _is_large(connection: AsyncConnection, index: _Index) -> bool:
    statement = _IS_LARGE.format(table=index.table)
    return bool(await _scalar(connection, statement, dimensions=index.dimensions, compared=MAX_COMPARED))


async def _create(connection: AsyncConnection, index: _Index, rows: int) -> None:
    """Create an index in memory, if that is large enough, and in several processes, if there is room."""
    needed = rows * (2 * index.dimensions + _NODE_BYTES) * 5 // 4 // 2**20
    memory = min(max(needed, _LEAST_MB), _MOST_MB)
    await connection.execute(text(f"SET maintenance_work_mem = '{memory}MB'"))
    _log.info("creating the index %s of %s vectors", index.name, rows)
    statement = _CREATE.format(name=index.name, table=index.table, dimensions=index.dimensions)
    try:
        await connection.execute(text(statement))
    except DBAPIError as error:
        if not str(getattr(error.orig, "sqlstate", None)).startswith(_NO_ROOM):
            raise
        # The processes share memory, of which a container may have little.
        await connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}"))
        await connection.execute(text("SET max_parallel_maintenance_workers = 0"))
        await connection.execute(text(statement))


async def _scalar(connection: AsyncConnection, statement: str, **values: Any) -> Any:
    return await connection.scalar(text(statement), values)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncConnection]:
    """Connect as the owner of the tables; each statement is a transaction of its own."""
    target = parse(url)
    engine = create_async_engine(
        target.url,
        connect_args={"timeout": CONNECT_TIMEOUT_S} | target.connect_args | UNPREPARED,
        poolclass=NullPool,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
    )
    async with engine.connect() as connection:
        # An index of many vectors takes longer than statements of requests may.
        await connection.execute(text("SET statement_timeout = 0"))
        yield connection
