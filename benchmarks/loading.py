"""Loads the data of the benchmark, on as many connections as there are processors.

The rows of each table are made and copied by one process, in their order: tables keep their rows in it. Keys,
indexes and foreign keys are created once, at the end. A table has the definitions of all that is dropped for
this until everything exists again, so a load that was stopped begins again at the next run.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import asyncpg
from rich.console import Console

from agentdata.operations.api_keys import hash_secret
from benchmarks import dataset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from benchmarks.database import Urls
    from benchmarks.dataset import Size

    Connection = asyncpg.Connection[Any]

CHUNK_LINES = 2_000
AT_ONCE = os.cpu_count() or 1
"""The number of tables, or of indexes, that are made at the same time."""

LARGEST_FIRST = (
    "messages", "agent_metrics", "memory_accesses", "tool_calls", "memory_links", "sessions", "memories",
    "module_states", "usage_records", "session_events", "state_transitions",
)  # fmt: skip
"""The tables that take longest; they begin first, so that no process is left with a large one at the end."""

_SESSION = (
    "SET synchronous_commit = off; SET maintenance_work_mem = '1GB';"
    # The index of the words of messages takes longer than all others together, so two processes make it.
    " SET max_parallel_maintenance_workers = 1"
)
_WHILE_LOADING = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "'4GB'", "autovacuum": "off"}
"""Settings of our own server: a crash of the machine may destroy data that can be loaded again."""

_TABLES = """
SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
AND relname <> 'benchmark_loading'"""

console = Console(width=110)


async def load(urls: Urls, size: Size, mark: str) -> None:
    """Fill the tables; at last the name of the project becomes ``mark``, which says that all is there."""
    async with _connection(urls.owner) as connection, _without_safety(urls):
        await _drop_constraints_and_indexes(connection)
        await _copy_all(urls, size)
        await connection.execute(
            "INSERT INTO projects (id, name, slug) VALUES ($1, 'loading', 'benchmark')", dataset.PROJECT
        )
        await connection.execute(
            "INSERT INTO api_keys (project_id, id, name, prefix, secret_hash, scopes)"
            " VALUES ($1, $1, 'Benchmark', $2, $3, '{READ,WRITE}')",
            dataset.PROJECT, dataset.API_KEY[:11], hash_secret(dataset.API_KEY),
        )  # fmt: skip
        await _index_all(urls, connection)
        async with connection.transaction():
            await connection.execute("DROP TABLE benchmark_loading")
            await connection.execute("UPDATE projects SET name = $1", mark)


async def is_unfinished(connection: Connection) -> bool:
    """Return whether an earlier load was stopped."""
    return bool(await connection.fetchval("SELECT to_regclass('benchmark_loading') IS NOT NULL"))


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_SESSION)
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _without_safety(urls: Urls) -> AsyncIterator[None]:
    """Let our own server write without waiting for the disk until the block ends."""
    if urls.superuser == urls.owner:
        yield
        return
    connection = await asyncpg.connect(urls.superuser)
    try:
        for name, value in _WHILE_LOADING.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = {value}")
        await connection.execute("SELECT pg_reload_conf()")
        yield
    finally:
        for name in _WHILE_LOADING:
            await connection.execute(f"ALTER SYSTEM RESET {name}")
        await connection.execute("SELECT pg_reload_conf()")
        # Otherwise this would happen while the benchmark measures.
        await connection.execute("CHECKPOINT")
        await connection.close()


async def _copy_all(urls: Urls, size: Size) -> None:
    loop = asyncio.get_running_loop()
    tables = [*LARGEST_FIRST, *(table for table in dataset.LINES if table not in LARGEST_FIRST)]
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as processes:
        copying = [loop.run_in_executor(processes, _copy, urls.owner, size, table) for table in tables]
        for copied in asyncio.as_completed(copying):
            console.print(await copied)


def _copy(url: str, size: Size, table: str) -> str:
    """Make the rows of a table and copy them, and return a line about it."""

    async def copy() -> str:
        columns = [column.strip() for column in dataset.COLUMNS[table].split(",")]
        async with _connection(url) as connection, connection.transaction():
            # Only a table that the same transaction truncates takes frozen rows, which VACUUM then skips.
            await connection.execute(f"TRUNCATE {table}")
            return await connection.copy_to_table(
                table, source=_chunks(dataset.LINES[table](size)), columns=columns, format="text", freeze=True
            )

    started = time.perf_counter()
    done = asyncio.run(copy())
    return f"{table}: {int(done.split()[1]):,} rows in {time.perf_counter() - started:,.0f} s"


async def _chunks(lines: Iterator[str]) -> AsyncIterator[bytes]:
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == CHUNK_LINES:
            yield "".join(chunk).encode()
            chunk.clear()
    yield "".join(chunk).encode()


async def _drop_constraints_and_indexes(connection: Connection) -> None:
    """Drop all keys, foreign keys and indexes, and keep their definitions in `benchmark_loading`.

    Otherwise PostgreSQL would check the foreign keys of each row as it is loaded, and write into all indexes.
    """
    constraints = await connection.fetch(
        "SELECT CASE contype WHEN 'f' THEN 'reference' ELSE 'key' END AS kind, conname AS name,"  # noqa: S608 - above
        " conrelid::regclass::text AS of, pg_get_constraintdef(oid) AS definition"
        f" FROM pg_constraint WHERE conrelid IN ({_TABLES}) AND contype IN ('p', 'u', 'f')"
        " ORDER BY contype = 'f', contype = 'u'"
    )
    indexes = await connection.fetch(
        "SELECT 'index' AS kind, indexrelid::regclass::text AS name, indrelid::regclass::text AS of,"  # noqa: S608 - above
        f" pg_get_indexdef(indexrelid) AS definition FROM pg_index AS i WHERE indrelid IN ({_TABLES})"
        " AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)"
    )
    async with connection.transaction():
        if not await is_unfinished(connection):
            await connection.execute(
                "CREATE TABLE benchmark_loading (kind text, name text, of text, definition text)"
            )
            dropped = [
                (row["kind"], row["name"], row["of"], row["definition"]) for row in (*constraints, *indexes)
            ]
            await connection.copy_records_to_table("benchmark_loading", records=dropped)
        for row in reversed(constraints):
            await connection.execute(f'ALTER TABLE {row["of"]} DROP CONSTRAINT "{row["name"]}"')
        for row in indexes:
            await connection.execute(f"DROP INDEX {row['name']}")
        # Those of the data are truncated when they are filled.
        await connection.execute("TRUNCATE projects, api_keys")


async def _index_all(urls: Urls, connection: Connection) -> None:
    """Create keys, indexes and foreign keys, in this order, and analyze the tables."""
    # What takes long begins first.
    rows = await connection.fetch("SELECT * FROM benchmark_loading ORDER BY pg_table_size(of::regclass) DESC")
    # Two statements must not add constraints to a table at the same time.
    await _run_all(urls, "keys", _by_table(rows, "key", _add))
    # The indexes of words take longest by far.
    indexes = [row["definition"] for row in rows if row["kind"] == "index"]
    indexes.sort(key=lambda definition: "search_document(" not in definition)
    await _run_all(urls, "indexes", [[definition] for definition in indexes])
    # To add a reference locks both tables; to check it does not keep others from being checked.
    added = [f"{_add(row)} NOT VALID" for row in rows if row["kind"] == "reference"]
    await _run_all(urls, "references", [added])
    await _run_all(urls, "checks of references", _by_table(rows, "reference", _validate))
    tables = dict.fromkeys(row["of"] for row in rows)
    await _run_all(urls, "tables analyzed", [[f"VACUUM (ANALYZE) {table}"] for table in tables])


def _by_table(
    rows: list[asyncpg.Record], kind: str, statement: Callable[[asyncpg.Record], str]
) -> list[list[str]]:
    """Return the statements about the rows of a kind, those about a table together."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["kind"] == kind:
            found.setdefault(row["of"], []).append(statement(row))
    return list(found.values())


def _add(row: asyncpg.Record) -> str:
    return f'ALTER TABLE {row["of"]} ADD CONSTRAINT "{row["name"]}" {row["definition"]}'


def _validate(row: asyncpg.Record) -> str:
    return f'ALTER TABLE {row["of"]} VALIDATE CONSTRAINT "{row["name"]}"'


async def _run_all(urls: Urls, what: str, groups: list[list[str]]) -> None:
    """Run groups of statements on several connections; the statements of a group run one after another."""
    started = time.perf_counter()
    waiting = iter(groups)

    async def run() -> None:
        async with _connection(urls.owner) as connection:
            for statements in waiting:
                for statement in statements:
                    await connection.execute(statement)

    await asyncio.gather(*(run() for _ in range(AT_ONCE)))
    number = sum(map(len, groups))
    console.print(f"{what}: {number} in {time.perf_counter() - started:,.0f} s")
