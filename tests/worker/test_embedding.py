"""The worker makes the vectors that texts lack, whatever else happens meanwhile."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import text

from agentdata.database import Database
from agentdata.embeddings import Embedder
from agentdata.operations import jobs, knowledge_bases, knowledge_embeddings, memories
from agentdata.worker import embedding as module
from agentdata.worker.embedding import Embedding
from tests import factories
from tests.embedding import DIMENSIONS, MODEL, Answer, vector
from tests.worker.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.worker.finding import Finder
    from tests.api import Api
    from tests.embedding import Endpoint
    from tests.worker.conftest import Working

QUEUE = f"agentdata.embed:{MODEL}"
JOB = """{ jobs { nodes { name state attempts result error externalId queue { name } } } }"""


@pytest.fixture
async def kind(embedded: Api, finder: Finder, served: Endpoint) -> AsyncIterator[Embedding]:
    """Provide the kind of work under test, whose endpoint takes few texts at a time."""
    embedder = Embedder(served.url, MODEL, batch=4, requests=2, timeout_s=20)
    kind = Embedding(embedded.database, finder, embedder)
    # Only tests of looks look: they may wake a job that has just ended.
    kind._next_sweep = inf  # noqa: SLF001
    yield kind
    await embedder.close()


async def base_with(api: Api, *chunks: str, **values: Any) -> UUID:
    """Add a knowledge base with a document of these chunks, and return its id."""
    base = await factories.knowledge_base(api, **values)
    document = await factories.knowledge_document(api, base.id)
    await factories.knowledge_chunks_of(api, document.id, *chunks)
    return base.id


async def stored(owner: AsyncEngine, api: Api, table: str = "knowledge_embeddings") -> dict[str, Any]:
    """Return the vectors of a project by their texts."""
    key, owners = {
        "knowledge_embeddings": ("chunk_id", "knowledge_chunks"),
        "memory_embeddings": ("memory_id", "memories"),
    }[table]
    statement = text(
        f"SELECT content, embedding FROM {table} AS own JOIN {owners} ON id = {key}"  # noqa: S608  # of the line above
        " WHERE own.project_id = :id AND model = :model"
    )
    async with owner.connect() as connection:
        found = await connection.execute(statement, {"id": api.project_id, "model": MODEL})
        return {row.content: [*row.embedding] for row in found}


async def job(api: Api) -> dict[str, Any] | None:
    found = (await api.ask(JOB))["jobs"]["nodes"]
    return found[0] if found else None


async def completed(api: Api) -> dict[str, Any]:
    """Wait until the job of a project is completed, and return it."""
    found = await until(lambda: job(api), lambda each: each is not None and each["state"] == "COMPLETED")
    assert found is not None
    return found


async def test_a_write_of_texts_without_vectors_wakes_the_job(embedded: Api) -> None:
    assert await job(embedded) is None
    await base_with(embedded, "one", "two")
    assert await job(embedded) == {
        "name": "embed",
        "state": "WAITING",
        "attempts": 0,
        "result": None,
        "error": None,
        "externalId": QUEUE,
        "queue": {"name": QUEUE},
    }
    await factories.memory(embedded)
    await base_with(embedded, "three")
    assert len((await embedded.ask(JOB))["jobs"]["nodes"]) == 1


async def test_a_server_without_an_endpoint_wakes_nobody(api: Api) -> None:
    base_id = await base_with(api, "one")
    await factories.memory(api)
    assert await job(api) is None
    found = await api.ask("query ($id: ID!) { knowledgeBase(id: $id) { embeddingModel } }", id=base_id)
    assert found["knowledgeBase"]["embeddingModel"] is None


async def test_vectors_are_made_of_all_texts_that_lack_one(
    embedded: Api, owner: AsyncEngine, working: Working, kind: Embedding, served: Endpoint
) -> None:
    chunks = [f"chunk {number}" for number in range(50)]
    await base_with(embedded, *chunks)
    await base_with(embedded, "not this one", embedding_model=None)
    await factories.memory(embedded, name="Tea", description="Green", content="at four")
    async with working([kind]):
        done = await completed(embedded)
    assert done["result"] == {"embedded": 51, "refused": 0}
    assert await stored(owner, embedded) == {chunk: vector(chunk) for chunk in chunks}
    assert await stored(owner, embedded, "memory_embeddings") == {"at four": vector("Tea Green at four")}
    assert max(len(request["input"]) for request in served.requests) == 4
    found = await embedded.ask("{ knowledgeBases { nodes { embeddingModel dimensions embeddedCount } } }")
    assert {tuple(each.values()) for each in found["knowledgeBases"]["nodes"]} == {
        (MODEL, DIMENSIONS, 50),
        (None, None, 0),
    }


async def test_a_job_that_has_ended_is_woken_and_does_only_what_is_new(
    embedded: Api, owner: AsyncEngine, working: Working, kind: Embedding, served: Endpoint
) -> None:
    base_id = await base_with(embedded, "one")
    async with working([kind]):
        await completed(embedded)
        document = await factories.knowledge_document(embedded, base_id)
        await factories.knowledge_chunks_of(embedded, document.id, "two")
        await until(lambda: stored(owner, embedded), lambda found: found.keys() == {"one", "two"})
        await completed(embedded)
    assert served.texts == ["one", "two"]


async def test_a_base_that_is_re_embedded_gets_vectors_of_the_next_model(
    api: Api, embedded: Api, owner: AsyncEngine, working: Working, kind: Embedding
) -> None:
    base_id = await base_with(api, "one", "two", embedding_model="another model")
    async with working([kind]):
        await api.run(knowledge_embeddings.start, id_=base_id, embedding_model=MODEL, dimensions=DIMENSIONS)
        # Nobody has woken the job: the worker looks itself.
        kind._next_sweep = 0  # noqa: SLF001
        await until(lambda: stored(owner, embedded), lambda found: found.keys() == {"one", "two"})


async def test_no_connection_is_held_while_the_endpoint_works(
    embedded: Api, working: Working, finder: Finder, served: Endpoint, database_url: str
) -> None:
    await base_with(embedded, *[f"chunk {number}" for number in range(12)])
    # This pool is that of the work alone: claims and looks have another one.
    database = Database(database_url, embedding_model=MODEL)
    embedder = Embedder(served.url, MODEL, batch=4, requests=1)
    kind = Embedding(database, finder, embedder)
    kind._next_sweep = inf  # noqa: SLF001  # no looks
    in_use: list[int] = []

    def answer(request: dict[str, Any]) -> Answer:
        in_use.append(database.pool.in_use)
        return served.usual(request)

    served.next += [answer] * 3
    async with working([kind]):
        await completed(embedded)
    await embedder.close()
    await database.close()
    assert in_use == [0, 0, 0]


async def test_a_vector_of_an_older_text_is_not_stored(
    embedded: Api, owner: AsyncEngine, working: Working, kind: Embedding, served: Endpoint
) -> None:
    memory = await factories.memory(embedded, content="before")
    served.waits.clear()
    async with working([kind]):
        await until(lambda: _sent(served))
        await embedded.run(memories.update, id_=memory.id, values={"content": "after"})
        served.waits.set()
        await until(lambda: stored(owner, embedded, "memory_embeddings"), bool)
        await completed(embedded)
    assert await stored(owner, embedded, "memory_embeddings") == {"after": vector("after")}


async def test_texts_that_are_deleted_meanwhile_are_no_error(
    embedded: Api, working: Working, kind: Embedding, served: Endpoint
) -> None:
    base_id = await base_with(embedded, "one", "two")
    served.waits.clear()
    async with working([kind]):
        await until(lambda: _sent(served))
        await embedded.run(knowledge_bases.delete, id_=base_id)
        served.waits.set()
        done = await completed(embedded)
    assert done["result"] == {"embedded": 0, "refused": 0}


async def test_texts_that_the_endpoint_does_not_take_are_counted_and_left_out(
    embedded: Api, owner: AsyncEngine, working: Working, kind: Embedding, served: Endpoint
) -> None:
    served.refuses = lambda request: Answer(400, {}) if "bad" in request["input"] else None
    await base_with(embedded, "one", "bad", "two")
    async with working([kind]):
        done = await completed(embedded)
    assert done["result"] == {"embedded": 2, "refused": 1}
    assert (await stored(owner, embedded)).keys() == {"one", "two"}


async def test_a_job_waits_for_an_endpoint_that_is_down(
    embedded: Api, owner: AsyncEngine, working: Working, kind: Embedding, served: Endpoint
) -> None:
    await base_with(embedded, *[f"chunk {number}" for number in range(10)])
    served.next += [served.usual({"model": MODEL, "input": ["chunk"] * 4})]
    served.refuses = lambda _: Answer(403, {})
    async with working([kind]):
        failed = await until(lambda: job(embedded), lambda each: bool(each and each["error"]))
        assert failed is not None
        assert failed["state"] == "DELAYED"
        assert failed["error"] == (
            "the embeddings endpoint of this server refuses the requests of this server, and its log says why"
        )
        served.refuses = lambda _: None
        async with owner.begin() as connection:
            await connection.execute(
                text("UPDATE jobs SET run_at = now() WHERE project_id = :id"), {"id": embedded.project_id}
            )
        await completed(embedded)
    assert len(await stored(owner, embedded)) == 10


async def test_a_base_of_another_size_fails_and_keeps_no_other_from_its_vectors(
    embedded: Api, owner: AsyncEngine, served: Endpoint, working: Working, kind: Embedding
) -> None:
    await base_with(embedded, "one", name="small", dimensions=8)
    await base_with(embedded, "two")
    async with working([kind]):
        failed = await until(lambda: job(embedded), lambda each: bool(each and each["state"] == "FAILED"))
        assert failed is not None
        refused = f"embedding has {DIMENSIONS} numbers; the vectors of the model {MODEL} have 8"
        assert failed["error"] == f"the knowledge base small: {refused}"
        assert (await stored(owner, embedded)).keys() == {"two"}
        # Neither the next job nor further texts send any that the base would refuse.
        sent = len(served.texts)
        await base_with(embedded, "three")
        again = await until(lambda: stored(owner, embedded), lambda found: found.keys() == {"two", "three"})
        assert len(again) == 2
        await until(lambda: job(embedded), lambda each: bool(each and each["state"] == "FAILED"))
    assert served.texts[sent:] == ["three"]


async def test_a_text_that_woke_nobody_is_found(
    api: Api, embedded: Api, owner: AsyncEngine, working: Working, kind: Embedding
) -> None:
    # A writer may find the job just before it ends, and a server may know of no endpoint.
    kind._next_sweep = 0  # noqa: SLF001
    base_id = await base_with(api, "one", embedding_model=MODEL)
    async with working([kind]):
        await until(lambda: stored(owner, embedded), lambda found: found.keys() == {"one"})
        await completed(embedded)
        document = await factories.knowledge_document(api, base_id)
        await factories.knowledge_chunks_of(api, document.id, "two")
        kind._again[api.project_id] = 0  # noqa: SLF001  # a minute has passed
        await until(lambda: stored(owner, embedded), lambda found: found.keys() == {"one", "two"})


async def test_many_pages_are_looked_through(
    embedded: Api,
    owner: AsyncEngine,
    working: Working,
    kind: Embedding,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [f"chunk {number}" for number in range(25)]
    await base_with(embedded, *texts)
    for name in ("_PAGE_OF_CHUNKS", "_PAGE_OF_MEMORIES"):
        monkeypatch.setattr(module, name, getattr(module, name).replace("LIMIT 5000", "LIMIT 7"))
    monkeypatch.setattr(module, "_PAGE", 7)
    async with working([kind]):
        await completed(embedded)
    assert (await stored(owner, embedded)).keys() == {*texts}


async def test_writers_of_one_project_do_not_wait_for_the_job_of_each_other(
    embedded: Api, owner: AsyncEngine
) -> None:
    await factories.memory(embedded)
    [row] = (await embedded.ask("{ jobs { nodes { id } } }"))["jobs"]["nodes"]
    job_id = UUID(row["id"])
    await embedded.run(jobs.cancel, id_=job_id)
    async with owner.begin() as connection:
        await connection.execute(text("SELECT FROM jobs WHERE id = :id FOR UPDATE"), {"id": job_id})
        async with asyncio.timeout(5):
            await factories.memory(embedded)


async def _sent(served: Endpoint) -> list[str]:
    return served.texts
