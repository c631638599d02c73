"""Indexes of vectors come with the sizes in use and go with them; without pgvector all else works."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from agentdata import migrations, provision, vector_indexes
from agentdata.connection import transaction
from agentdata.database import Database
from agentdata.database_url import parse
from resolvers.meaning import MAX_COMPARED
from tests import factories
from tests.api import make_api
from tests.databases import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from agentdata.database_urls import DatabaseUrls
    from tests.databases import Server

_INDEXES = """
SELECT coalesce(array_agg(indexname::text ORDER BY 1), '{}') FROM pg_indexes WHERE indexname LIKE '%hnsw%'"""
_NAME = "memory_embeddings_3_hnsw_idx"


@pytest.fixture
def urls(database_server: Server) -> Iterator[DatabaseUrls]:
    with database_server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        assert asyncio.run(provision.ensure_vectors(urls.owner))
        asyncio.run(migrations.upgrade(urls.owner))
        yield urls


@pytest.fixture
def admin(database_server: Server, urls: DatabaseUrls) -> str:
    """Provide the URL of a superuser to the fresh database."""
    return urlsplit(database_server.admin)._replace(path=urlsplit(urls.owner).path).geturl()


@pytest.fixture
def project(urls: DatabaseUrls) -> UUID:
    [id_] = run(
        urls.owner, "INSERT INTO projects (id, name, slug) VALUES (gen_random_uuid(), 'P', 'p') RETURNING id"
    )
    return id_  # type: ignore[no-any-return]  # an id


def add(urls: DatabaseUrls, project: UUID, number: int, dimensions: int) -> None:
    """Add memories with vectors of a size."""
    run(
        urls.owner,
        f"""WITH made AS (
          INSERT INTO memories (project_id, id, content) SELECT '{project}', gen_random_uuid(), 'x'
          FROM generate_series(1, {number}) RETURNING id
        )
        INSERT INTO memory_embeddings (project_id, memory_id, model, dimensions, embedding)
        SELECT '{project}', id, 'm', {dimensions}, ARRAY(SELECT random() FROM generate_series(1, {dimensions})
          WHERE id IS NOT NULL) FROM made""",  # noqa: S608  # of this file
    )


def test_an_index_comes_with_many_vectors_of_a_size_and_goes_with_them(
    urls: DatabaseUrls, project: UUID
) -> None:
    add(urls, project, MAX_COMPARED, 3)
    add(urls, project, 5, 2)
    assert asyncio.run(vector_indexes.update(urls.owner)) == []
    add(urls, project, 1, 3)
    assert asyncio.run(vector_indexes.update(urls.owner)) == [_NAME]
    assert asyncio.run(vector_indexes.update(urls.owner)) == []
    assert run(urls.owner, _INDEXES) == [[_NAME]]
    # The comparison of the tables with the models leaves such indexes out.
    asyncio.run(migrations.check(urls.owner))
    run(urls.owner, "DELETE FROM memory_embeddings WHERE dimensions = 3")
    assert asyncio.run(vector_indexes.update(urls.owner)) == [_NAME]
    assert run(urls.owner, _INDEXES) == [[]]


def test_an_index_waits_while_its_size_is_filled(urls: DatabaseUrls, project: UUID) -> None:
    rows: dict[str, int] = {}
    for added in (MAX_COMPARED + 1, 200):
        add(urls, project, added, 3)
        assert asyncio.run(vector_indexes.update(urls.owner, rows)) == []
    add(urls, project, 20, 3)
    assert asyncio.run(vector_indexes.update(urls.owner, rows)) == [_NAME]
    # It is filled once more.
    run(urls.owner, "DELETE FROM memory_embeddings")
    assert asyncio.run(vector_indexes.update(urls.owner, rows)) == [_NAME]
    add(urls, project, MAX_COMPARED + 1, 3)
    assert asyncio.run(vector_indexes.update(urls.owner, rows)) == []


def test_an_index_that_was_not_completed_is_built_anew(urls: DatabaseUrls, admin: str, project: UUID) -> None:
    add(urls, project, MAX_COMPARED + 1, 3)
    asyncio.run(vector_indexes.update(urls.owner))
    run(admin, f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{_NAME}'::regclass")  # noqa: S608  # ours
    assert asyncio.run(vector_indexes.update(urls.owner)) == [_NAME, _NAME]
    valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{_NAME}'::regclass"  # noqa: S608  # ours
    assert run(urls.owner, valid) == [True]


def test_one_server_at_a_time_creates_indexes(urls: DatabaseUrls, project: UUID) -> None:
    add(urls, project, MAX_COMPARED + 1, 3)

    async def with_lock() -> list[str]:
        async with transaction(urls.owner) as connection:
            await connection.execute(text(f"SELECT pg_advisory_lock({vector_indexes.LOCK})"))
            return await vector_indexes.update(urls.owner)

    assert asyncio.run(with_lock()) == []
    assert asyncio.run(vector_indexes.update(urls.owner)) == [_NAME]


def test_writers_go_on_while_an_index_is_created(urls: DatabaseUrls, project: UUID) -> None:
    add(urls, project, MAX_COMPARED + 1, 3)

    async def at_once() -> int:
        target = parse(urls.owner)
        engine = create_async_engine(target.url, connect_args=target.connect_args)
        written = 0
        building = asyncio.create_task(vector_indexes.update(urls.owner))
        while not building.done():
            async with engine.begin() as connection:
                await connection.execute(
                    text(
                        "WITH made AS (INSERT INTO memories (project_id, id, content) VALUES (:id,"
                        " gen_random_uuid(), 'x') RETURNING id) INSERT INTO memory_embeddings"
                        " (project_id, memory_id, model, dimensions, embedding)"
                        " SELECT :id, id, 'm', 3, '{1,2,3}' FROM made"
                    ),
                    {"id": project},
                )
            written += 1
        assert await building == [_NAME]
        await engine.dispose()
        return written

    assert asyncio.run(at_once()) > 0


def test_without_pgvector_vectors_are_refused_and_all_else_works(urls: DatabaseUrls, admin: str) -> None:
    run(admin, "DROP EXTENSION vector CASCADE")

    async def refused() -> None:
        database = Database(urls.request, pool_size=2)
        target = parse(urls.owner)
        owner = create_async_engine(target.url, connect_args=target.connect_args)
        try:
            api = await make_api(database, owner)
            assert await vector_indexes.update(urls.owner) == []
            create = "mutation($input: CreateMemoryInput!) { createMemory(input: $input) { id } }"
            given: dict[str, Any] = {"content": "tea", "embedding": [1, 0], "embeddingModel": "m"}
            search = 'query($it: Vector) { searchMemories(query: "tea", embedding: $it) { nodes { score } } }'
            for document, asked in ((create, {"input": given}), (search, {"it": [1, 0]})):
                error = await api.error(document, **asked)
                assert error["extensions"]["code"] == "CONFLICT"
                assert "lacks the extension pgvector" in error["message"]
                assert "CREATE EXTENSION vector" in error["message"]
            await factories.memory(api, content="tea")
            assert len((await api.ask(search))["searchMemories"]["nodes"]) == 1
            await asyncio.to_thread(run, admin, "CREATE EXTENSION vector")
            # No restart is needed.
            await api.ask(create, input=given)
            found = (await api.ask(search, it=[1, 0]))["searchMemories"]["nodes"]
            assert len(found) == 2
        finally:
            await database.close()
            await owner.dispose()

    asyncio.run(refused())
