"""The database of the benchmark: created and loaded once for each size, and then reused."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from agentdata import migrations, provision
from agentdata.embedded import running
from agentdata.operations.api_keys import hash_secret
from benchmarks import dataset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from agentdata.embedded import EmbeddedServer
    from benchmarks.dataset import Size

CACHE = Path(__file__).parent / ".cache"
CHUNK_LINES = 2_000
DATA_VERSION = 6
"""Increase this with every change of the data, so that older data is detected and not used."""

FUNCTIONS = (Path(__file__).parent / "postgraphile" / "functions.sql").read_text()


@dataclass(frozen=True)
class Urls:
    """The URLs of the tables' owner, of the login role of requests, and of a superuser."""

    owner: str
    request: str
    superuser: str
    """That of the owner if DATABASE_URL is set, who may not be one."""

    @classmethod
    def of(cls, server: EmbeddedServer) -> Urls:
        """Return the URLs of an embedded server."""
        return cls(server.owner_url, server.request_url, server.url("postgres"))


@contextmanager
def database(size: Size) -> Iterator[Urls]:
    """Provide the database of a size: that of DATABASE_URL, or an embedded server in the cache."""
    if url := os.environ.get("DATABASE_URL"):
        yield Urls(url, url, url)
        return
    with running(CACHE / size.name) as server:
        yield Urls.of(server)


async def prepare(urls: Urls, size: Size) -> None:
    """Migrate the tables to the newest revision, and load the data if it is missing."""
    await provision.ensure_role(urls.owner, request_url=urls.request)
    await migrations.upgrade(urls.owner)
    async with connect(urls.owner) as connection:
        mark = f"benchmark {size.name} {DATA_VERSION}"
        found = await connection.fetchval("SELECT string_agg(name, ', ') FROM projects")
        if found is None:
            await _load(connection, size, mark)
        elif found != mark:
            raise SystemExit(
                f"the database has other data in it ({found}): set DATABASE_URL to a database for the"
                f" benchmark alone, or delete {CACHE / size.name}"
            )
        await connection.execute(FUNCTIONS)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Open a plain asyncpg connection."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def reset_writers(urls: Urls, size: Size) -> None:
    """Undo the writes, so that all servers write to the same tables."""
    ids = [dataset.session_id(size, index) for index in range(dataset.WRITERS)]
    counts = [size.message_count(index) for index in range(dataset.WRITERS)]
    totals = [dataset.tokens(size, index) for index in range(dataset.WRITERS)]
    async with connect(urls.owner) as connection, connection.transaction():
        await connection.execute(
            "DELETE FROM messages AS m USING unnest($2::uuid[], $3::int[]) AS w (id, count)"
            " WHERE m.project_id = $1 AND m.session_id = w.id AND m.sequence > w.count",
            dataset.PROJECT, ids, counts,
        )  # fmt: skip
        await connection.execute(
            "UPDATE sessions AS s SET message_count = w.count, last_sequence = w.count,"
            " interaction_count = (w.count + 3) / 4, prompt_tokens = w.prompt,"
            " completion_tokens = w.completion, last_activity_at = w.last"
            " FROM unnest($2::uuid[], $3::int[], $4::int[], $5::int[], $6::timestamptz[])"
            " AS w (id, count, prompt, completion, last) WHERE s.project_id = $1 AND s.id = w.id",
            dataset.PROJECT, ids, counts, [total[0] for total in totals], [total[1] for total in totals],
            [size.started_at(index) + dataset.MESSAGE_GAP * count for index, count in enumerate(counts)],
        )  # fmt: skip


async def _load(connection: asyncpg.Connection[Any], size: Size, mark: str) -> None:
    """Fill the tables in one transaction; indexes and foreign keys are created once, at the end."""
    async with connection.transaction():
        await connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        await connection.execute("SET LOCAL synchronous_commit = off")
        # Otherwise PostgreSQL would check the foreign keys of each row as it is loaded.
        statements = await _drop_constraints_and_indexes(connection)
        await connection.execute(
            "INSERT INTO projects (id, name, slug) VALUES ($1, $2, 'benchmark')", dataset.PROJECT, mark
        )
        await connection.execute(
            "INSERT INTO api_keys (project_id, id, name, prefix, secret_hash, scopes)"
            " VALUES ($1, $1, 'Benchmark', $2, $3, '{READ,WRITE}')",
            dataset.PROJECT, dataset.API_KEY[:11], hash_secret(dataset.API_KEY),
        )  # fmt: skip
        steps = size.sessions * dataset.STEPS
        rows = {
            "sessions": size.sessions, "messages": size.messages, "tool_calls": size.messages // 4,
            "session_events": steps, "usage_records": steps, "module_states": steps,
            "state_transitions": steps - size.sessions,
        }  # fmt: skip
        rows |= {"memories": size.sessions, "memory_accesses": size.sessions * 5}
        rows |= {"memory_annotations": size.sessions * 3 // 4, "memory_links": size.sessions * 3}
        rows["agent_metrics"] = dataset.METRICS
        with _progress() as progress:
            for table, lines in dataset.LINES.items():
                task = progress.add_task(f"loading {table}", total=rows.get(table))
                columns = [column.strip() for column in dataset.COLUMNS[table].split(",")]
                await connection.copy_to_table(
                    table, source=_chunks(lines(size), progress, task), columns=columns, format="text"
                )
                progress.update(task, total=progress.tasks[task].completed)
            task = progress.add_task("indexing", total=len(statements))
            for statement in statements:
                await connection.execute(statement)
                progress.advance(task)
            await connection.execute("ANALYZE")
    await connection.execute("VACUUM")


async def _drop_constraints_and_indexes(connection: asyncpg.Connection[Any]) -> list[str]:
    """Drop all keys, foreign keys and indexes, and return the statements that create them again."""
    tables = "SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    constraints = await connection.fetch(
        "SELECT conname, conrelid::regclass::text AS tab, pg_get_constraintdef(oid) AS definition"  # noqa: S608 - above
        f" FROM pg_constraint WHERE conrelid IN ({tables}) AND contype IN ('p', 'u', 'f')"
        " ORDER BY contype = 'f', contype = 'u'"
    )
    indexes = await connection.fetch(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition"  # noqa: S608 - above
        f" FROM pg_index AS i WHERE indrelid IN ({tables})"
        " AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)"
    )
    for constraint in reversed(constraints):
        await connection.execute(f'ALTER TABLE {constraint["tab"]} DROP CONSTRAINT "{constraint["conname"]}"')
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    keys = [c for c in constraints if not c["definition"].startswith("FOREIGN")]
    references = [c for c in constraints if c["definition"].startswith("FOREIGN")]

    def add(constraint: asyncpg.Record) -> str:
        name, definition = constraint["conname"], constraint["definition"]
        return f'ALTER TABLE {constraint["tab"]} ADD CONSTRAINT "{name}" {definition}'

    return [*map(add, keys), *(index["definition"] for index in indexes), *map(add, references)]


async def _chunks(lines: Iterator[str], progress: Progress, task: Any) -> AsyncIterator[bytes]:
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == CHUNK_LINES:
            yield "".join(chunk).encode()
            progress.advance(task, len(chunk))
            chunk.clear()
    yield "".join(chunk).encode()
    progress.advance(task, len(chunk))


def _progress() -> Progress:
    return Progress(TextColumn("{task.description:20}"), BarColumn(), TimeElapsedColumn())
