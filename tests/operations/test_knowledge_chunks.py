"""Chunks of documents are replaced or extended as a whole, and counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from agentdata.errors import LimitExceededError
from agentdata.operations import knowledge_chunks, knowledge_documents
from tests import factories
from tests.writes import untrue

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

PUT = """mutation($id: ID!, $chunks: [KnowledgeChunkInput!]!, $replace: Boolean = true) {
  putKnowledgeChunks(documentId: $id, chunks: $chunks, replace: $replace) {
    status chunkCount chunks(first: 10) { nodes { position content tags metadata version } }
  }
}"""


async def contents(api: Api, document_id: UUID) -> list[str]:
    """Return the contents of a document's chunks, in order."""
    data = await api.ask(
        "query($id: ID!) { knowledgeDocument(id: $id) {"
        " chunks(first: 500) { nodes { position content } } } }",
        id=str(document_id),
    )
    nodes = data["knowledgeDocument"]["chunks"]["nodes"]
    assert [node["position"] for node in nodes] == [*range(1, len(nodes) + 1)]
    return [node["content"] for node in nodes]


async def test_chunks_replace_those_of_their_document_and_of_no_other(api: Api, owner: AsyncEngine) -> None:
    base = await factories.knowledge_base(api)
    document = await factories.knowledge_document(api, base.id, version="v1", status="FAILED")
    other = await factories.knowledge_document(api, base.id, version="v1")
    await factories.knowledge_chunks_of(api, other.id, "other")
    chunk = {"content": "one", "tags": ["b", "a", "b"], "metadata": {"page": 1}}
    first = await api.ask(PUT, id=str(document.id), chunks=[chunk, {"content": "two"}])
    assert first["putKnowledgeChunks"] == {
        "status": "READY",
        "chunkCount": 2,
        "chunks": {
            "nodes": [
                {
                    "position": 1,
                    "content": "one",
                    "tags": ["b", "a"],
                    "metadata": {"page": 1},
                    "version": "v1",
                },
                {"position": 2, "content": "two", "tags": [], "metadata": {}, "version": "v1"},
            ]
        },
    }
    await api.ask(PUT, id=str(document.id), chunks=[{"content": "three"}])
    assert await contents(api, document.id) == ["three"]
    assert await untrue(owner, api) == []
    await api.ask(PUT, id=str(document.id), chunks=[])
    assert await contents(api, document.id) == []
    assert await contents(api, other.id) == ["other"]
    assert await untrue(owner, api) == []


async def test_chunks_follow_those_before_them_without_replace(api: Api, owner: AsyncEngine) -> None:
    document = await factories.knowledge_document(api, (await factories.knowledge_base(api)).id)
    await factories.knowledge_chunks_of(api, document.id, "one", status="PROCESSING")
    done = await api.ask(PUT, id=str(document.id), chunks=[{"content": "two"}], replace=False)
    assert (done["putKnowledgeChunks"]["status"], done["putKnowledgeChunks"]["chunkCount"]) == ("READY", 2)
    assert await contents(api, document.id) == ["one", "two"]
    assert await untrue(owner, api) == []


async def test_a_null_status_keeps_the_status_and_its_message(api: Api) -> None:
    base = await factories.knowledge_base(api)
    document = await factories.knowledge_document(api, base.id, status="FAILED", status_message="no page")
    kept = await factories.knowledge_chunks_of(api, document.id, "one", status=None)
    assert (kept.status, kept.status_message) == ("FAILED", "no page")
    ready = await factories.knowledge_chunks_of(api, document.id, "one")
    assert (ready.status, ready.status_message) == ("READY", None)


async def test_one_wrong_chunk_replaces_none(api: Api) -> None:
    document = await factories.knowledge_document(api, (await factories.knowledge_base(api)).id)
    await factories.knowledge_chunks_of(api, document.id, "one")
    error = await api.error(PUT, id=str(document.id), chunks=[{"content": "two"}, {"content": "a\0"}])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "chunks.1.content"}
    assert await contents(api, document.id) == ["one"]


async def test_a_request_takes_a_thousand_chunks_and_says_how_to_send_more(
    api: Api, owner: AsyncEngine
) -> None:
    document = await factories.knowledge_document(api, (await factories.knowledge_base(api)).id)
    thousand = [{"content": str(number)} for number in range(1_000)]
    await api.ask(PUT, id=str(document.id), chunks=thousand)
    assert await untrue(owner, api) == []
    error = await api.error(PUT, id=str(document.id), chunks=[*thousand, {"content": "more"}])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "chunks"}
    assert "replace: false" in error["message"]
    error = await api.error(PUT, id=str(document.id), chunks=[], replace=False)
    assert error["message"] == "chunks has 0 items; it may have from 1 to 1000"


async def test_a_document_has_a_bounded_number_of_chunks(
    api: Api, owner: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge_chunks, "MAX_CHUNKS", 3)
    document = await factories.knowledge_document(api, (await factories.knowledge_base(api)).id)
    await factories.knowledge_chunks_of(api, document.id, "one", "two")
    with pytest.raises(LimitExceededError, match="would have 4 chunks; it may have at most 3: split it"):
        await factories.knowledge_chunks_of(api, document.id, "three", "four", replace=False)
    assert await contents(api, document.id) == ["one", "two"]
    assert await untrue(owner, api) == []


async def test_writers_of_the_same_document_neither_mix_nor_lose_chunks(api: Api, owner: AsyncEngine) -> None:
    document = await factories.knowledge_document(api, (await factories.knowledge_base(api)).id)
    sets = [[f"{writer}-{number}" for number in range(writer + 1)] for writer in range(5)]
    await asyncio.gather(*[factories.knowledge_chunks_of(api, document.id, *chunks) for chunks in sets])
    assert await contents(api, document.id) in sets
    assert await untrue(owner, api) == []
    await factories.knowledge_chunks_of(api, document.id)
    await asyncio.gather(
        *[factories.knowledge_chunks_of(api, document.id, *chunks, replace=False) for chunks in sets]
    )
    assert sorted(await contents(api, document.id)) == sorted(chunk for chunks in sets for chunk in chunks)
    assert await untrue(owner, api) == []


async def test_chunks_of_documents_that_are_deleted_meanwhile_are_gone_and_not_counted(
    api: Api, owner: AsyncEngine
) -> None:
    base = await factories.knowledge_base(api)
    documents = [await factories.knowledge_document(api, base.id) for _ in range(6)]
    await asyncio.gather(
        *[factories.knowledge_chunks_of(api, document.id, "a", "b") for document in documents],
        *[api.run(knowledge_documents.delete, id_=document.id) for document in documents[::2]],
        return_exceptions=True,
    )
    assert await untrue(owner, api) == []
    data = await api.ask("{ knowledgeDocuments { totalCount } knowledgeChunks { totalCount } }")
    assert data == {"knowledgeDocuments": {"totalCount": 3}, "knowledgeChunks": {"totalCount": 6}}
