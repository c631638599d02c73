"""The database of the benchmark: created and loaded once for each size, and then reused."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from agentdata import migrations, provision
from agentdata.embedded import running
from agentdata.folding import Folder
from benchmarks import dataset
from benchmarks.loading import is_unfinished, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from agentdata.embedded import EmbeddedServer
    from benchmarks.dataset import Size

CACHE = Path(__file__).parent / ".cache"
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
        if found is None or await is_unfinished(connection):
            await load(urls, size, mark)
        elif found != mark:
            raise SystemExit(
                f"the database has other data in it ({found}): set DATABASE_URL to a database for the"
                f" benchmark alone, or delete {CACHE / size.name}"
            )
        await connection.execute(FUNCTIONS)
    # A server would do so in the background, beside what is measured.
    await Folder(urls.owner, rest_s=0, pauses=False).fold()


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
            " completion_tokens = w.completion, last_activity_at = w.last, updated_at = clock_timestamp()"
            " FROM unnest($2::uuid[], $3::int[], $4::int[], $5::int[], $6::timestamptz[])"
            " AS w (id, count, prompt, completion, last) WHERE s.project_id = $1 AND s.id = w.id",
            dataset.PROJECT, ids, counts, [total[0] for total in totals], [total[1] for total in totals],
            [size.started_at(index) + dataset.MESSAGE_GAP * count for index, count in enumerate(counts)],
        )  # fmt: skip
