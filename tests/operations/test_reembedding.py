"""A base takes vectors of a second model beside its own, and changes to them when they are complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import text

from agentdata.operations import knowledge_embeddings
from tests import factories
from tests.operations.test_embeddings import FILL, MISSING, PUT, vectors

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

_BASE = "{ embeddingModel dimensions nextEmbeddingModel nextDimensions embeddedCount nextEmbeddedCount }"
START = f"""mutation($id: ID!, $model: String!, $dimensions: Int!) {{
  startKnowledgeReembedding(id: $id, embeddingModel: $model, dimensions: $dimensions) {_BASE}
}}"""
FINISH = f"""mutation($id: ID!, $missing: Boolean! = false, $model: String) {{
  finishKnowledgeReembedding(id: $id, allowMissing: $missing, embeddingModel: $model) {_BASE}
}}"""
CANCEL = f"mutation($id: ID!) {{ cancelKnowledgeReembedding(id: $id) {_BASE} }}"
UPDATE = f"""mutation($id: ID!, $input: UpdateKnowledgeBaseInput!) {{
  updateKnowledgeBase(id: $id, input: $input) {_BASE}
}}"""
NEAREST = """query($embedding: Vector!) { searchKnowledge(embedding: $embedding) {
  nodes { similarity chunk { content } }
} }"""


@pytest.fixture
async def base(api: Api) -> str:
    """Provide a base of two chunks with vectors of two numbers."""
    made = await factories.knowledge_base(api, embedding_model="old")
    document = await factories.knowledge_document(api, made.id)
    chunks = [{"content": "one", "embedding": [1, 0]}, {"content": "two", "embedding": [0, 1]}]
    await api.ask(PUT, id=str(document.id), chunks=chunks)
    return str(made.id)


async def fill(api: Api, base: str, *numbers: list[float]) -> None:
    """Put vectors of the next model for the first chunks that have none."""
    missing = await api.ask(MISSING, id=base, model="new")
    nodes = sorted(missing["knowledgeBase"]["chunks"]["nodes"], key=lambda node: node["content"])
    given = [{"chunkId": node["id"], "embedding": each} for node, each in zip(nodes, numbers, strict=False)]
    await api.ask(FILL, id=base, model="new", embeddings=given)


async def nearest(api: Api, *numbers: float) -> list[tuple[str, float]]:
    """Return the contents of chunks and their similarities to a vector."""
    found = await api.ask(NEAREST, embedding=[*numbers])
    return [(node["chunk"]["content"], node["similarity"]) for node in found["searchKnowledge"]["nodes"]]


async def test_a_base_changes_its_model_when_all_chunks_have_a_vector(
    api: Api, owner: AsyncEngine, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge_embeddings, "_DELETED_TOGETHER", 1)
    started = await api.ask(START, id=base, model="new", dimensions=3)
    assert started["startKnowledgeReembedding"] == {
        "embeddingModel": "old",
        "dimensions": 2,
        "nextEmbeddingModel": "new",
        "nextDimensions": 3,
        "embeddedCount": 2,
        "nextEmbeddedCount": 0,
    }
    await fill(api, base, [0, 0, 1])
    # Searches compare the vectors of the complete model.
    assert await nearest(api, 1, 0) == [("one", 1), ("two", 0)]
    assert "have 2" in (await api.error(NEAREST, embedding=[0, 0, 1]))["message"]
    error = await api.error(FINISH, id=base)
    assert error["extensions"] == {"code": "CONFLICT", "field": "allowMissing"}
    assert "1 chunks have no vector of new" in error["message"]
    await fill(api, base, [0, 1, 0])
    finished = await api.ask(FINISH, id=base)
    assert finished["finishKnowledgeReembedding"] == {
        "embeddingModel": "new",
        "dimensions": 3,
        "nextEmbeddingModel": None,
        "nextDimensions": None,
        "embeddedCount": 2,
        "nextEmbeddedCount": 0,
    }
    assert await nearest(api, 1, 0) == []
    assert await nearest(api, 0, 0, 1) == [("one", 1), ("two", 0)]
    assert await vectors(owner, api, "knowledge_embeddings") == [("new", [0, 0, 1]), ("new", [0, 1, 0])]
    assert (await api.error(FINISH, id=base))["extensions"] == {"code": "CONFLICT", "field": "id"}


async def test_a_writer_names_its_model_during_a_reembedding(api: Api, base: str) -> None:
    await api.ask(START, id=base, model="new", dimensions=2)
    document = await factories.knowledge_document(api, UUID(base), name="another")
    chunks = [{"content": "three", "embedding": [1, 1]}]
    error = await api.error(PUT, id=str(document.id), chunks=chunks)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "embeddingModel"}
    assert "takes vectors of old and new" in error["message"]
    for model in ("old", "new"):
        await api.ask(PUT, id=str(document.id), chunks=chunks, model=model)
    await api.ask(FINISH, id=base, missing=True)
    await api.ask(PUT, id=str(document.id), chunks=chunks)


async def test_a_reembedding_begins_without_the_vectors_that_an_interrupted_one_left(
    api: Api, owner: AsyncEngine, base: str
) -> None:
    await api.ask(START, id=base, model="new", dimensions=3)
    await fill(api, base, [1, 0, 0], [1, 0, 0])
    async with owner.begin() as connection:
        # A cancellation that is killed has changed the base, and not deleted all vectors.
        await connection.execute(
            text(
                "UPDATE knowledge_bases SET next_embedding_model = NULL, next_dimensions = NULL"
                " WHERE id = :id"
            ),
            {"id": base},
        )
    error = await api.error(FINISH, id=base)
    assert "cancelKnowledgeReembedding deletes the vectors" in error["message"]
    started = await api.ask(START, id=base, model="new", dimensions=2)
    assert started["startKnowledgeReembedding"]["nextEmbeddedCount"] == 0
    assert await vectors(owner, api, "knowledge_embeddings") == [("old", [0, 1]), ("old", [1, 0])]


async def test_a_finish_that_names_its_model_can_be_repeated(api: Api, owner: AsyncEngine, base: str) -> None:
    await api.ask(START, id=base, model="new", dimensions=2)
    error = await api.error(FINISH, id=base, model="old")
    assert error["extensions"] == {"code": "CONFLICT", "field": "embeddingModel"}
    await fill(api, base, [0, 1], [1, 0])
    finished = await api.ask(FINISH, id=base, model="new")
    # The deletion of the first one did not come to its end.
    async with owner.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO knowledge_embeddings"
                " (project_id, chunk_id, knowledge_base_id, version_id, model, dimensions, embedding)"
                " SELECT project_id, chunk_id, knowledge_base_id, version_id, 'old', dimensions, embedding"
                " FROM knowledge_embeddings WHERE project_id = :project"
            ),
            {"project": api.project_id},
        )
    for _ in range(2):
        assert await api.ask(FINISH, id=base, model="new") == finished
        assert await vectors(owner, api, "knowledge_embeddings") == [("new", [0, 1]), ("new", [1, 0])]
    for model, code in (("old", "CONFLICT"), ("third", "CONFLICT"), (" ", "BAD_USER_INPUT")):
        error = await api.error(FINISH, id=base, model=model)
        assert error["extensions"] == {"code": code, "field": "embeddingModel"}
    # A re-embedding that was cancelled is not taken for one that was finished.
    await api.ask(START, id=base, model="third", dimensions=2)
    await api.ask(CANCEL, id=base)
    error = await api.error(FINISH, id=base, model="third")
    assert error["extensions"] == {"code": "CONFLICT", "field": "embeddingModel"}


async def test_a_base_may_change_its_model_while_chunks_lack_a_vector(api: Api, base: str) -> None:
    await api.ask(START, id=base, model="new", dimensions=2)
    await fill(api, base, [1, 0])
    finished = await api.ask(FINISH, id=base, missing=True)
    assert finished["finishKnowledgeReembedding"]["embeddedCount"] == 1
    assert await nearest(api, 1, 0) == [("one", 1)]


async def test_a_reembedding_that_is_cancelled_leaves_the_vectors_of_the_model(
    api: Api, owner: AsyncEngine, base: str
) -> None:
    await api.ask(START, id=base, model="new", dimensions=3)
    await fill(api, base, [1, 0, 0], [1, 0, 0])
    for _ in range(2):
        cancelled = await api.ask(CANCEL, id=base)
        assert cancelled["cancelKnowledgeReembedding"]["nextEmbeddingModel"] is None
        assert await vectors(owner, api, "knowledge_embeddings") == [("old", [0, 1]), ("old", [1, 0])]
    error = await api.error(FILL, id=base, model="new", embeddings=[{"chunkId": base, "embedding": [1]}])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "model"}


@pytest.mark.parametrize(
    ("model", "dimensions", "code", "field"),
    [
        ("old", 3, "CONFLICT", "embeddingModel"),
        (" ", 3, "BAD_USER_INPUT", "embeddingModel"),
        ("n" * 256, 3, "BAD_USER_INPUT", "embeddingModel"),
        ("third", 3, "CONFLICT", "embeddingModel"),
        ("new", 2, "CONFLICT", "embeddingModel"),
        ("new", 0, "BAD_USER_INPUT", "dimensions"),
        ("new", 4_001, "BAD_USER_INPUT", "dimensions"),
    ],
)
async def test_a_base_is_reembedded_by_one_other_model_at_a_time(  # the values of the cases
    api: Api, base: str, model: str, dimensions: int, code: str, field: str
) -> None:
    for _ in range(2):
        await api.ask(START, id=base, model="new", dimensions=3)
    error = await api.error(START, id=base, model=model, dimensions=dimensions)
    assert error["extensions"] == {"code": code, "field": field}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"embeddingModel": "other"}, "embeddingModel"),
        ({"dimensions": 3}, "dimensions"),
        ({"dimensions": None}, "dimensions"),
        ({"embeddingModel": None, "dimensions": None}, "embeddingModel"),
    ],
)
async def test_the_model_of_a_base_with_vectors_changes_by_a_reembedding_only(
    api: Api, base: str, change: dict[str, Any], field: str
) -> None:
    error = await api.error(UPDATE, id=base, input=change)
    assert error["extensions"] == {"code": "CONFLICT", "field": field}
    same = await api.ask(UPDATE, id=base, input={"embeddingModel": "old", "dimensions": 2, "name": "Other"})
    assert same["updateKnowledgeBase"]["dimensions"] == 2


async def test_a_base_without_vectors_may_change_its_model(api: Api) -> None:
    base = str((await factories.knowledge_base(api)).id)
    error = await api.error(UPDATE, id=base, input={"dimensions": 3})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "dimensions"}
    error = await api.error(UPDATE, id=base, input={"embeddingModel": " "})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "embeddingModel"}
    for model, dimensions in (("one", 3), ("two", None), (None, None)):
        changed = await api.ask(UPDATE, id=base, input={"embeddingModel": model, "dimensions": dimensions})
        assert changed["updateKnowledgeBase"]["embeddingModel"] == model
        assert changed["updateKnowledgeBase"]["dimensions"] == dimensions


async def test_a_base_of_another_project_cannot_be_reembedded(api: Api, other: Api, base: str) -> None:
    for document, given in (
        (START, {"model": "new", "dimensions": 3}),
        (FINISH, {}),
        (CANCEL, {}),
    ):
        assert (await other.error(document, id=base, **given))["extensions"]["code"] == "NOT_FOUND"
    assert len(await nearest(api, 1, 0)) == 2
