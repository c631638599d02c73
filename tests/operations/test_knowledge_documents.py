"""Documents of knowledge bases: what a put adds and changes, accesses, and deletions by external id."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.errors import BadUserInputError
from agentdata.operations import knowledge_bases, knowledge_documents
from tests import factories
from tests.api import traffic
from tests.writes import untrue

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

FIELDS = "id version externalId name type size hash status statusMessage metadata"
PUT = f"""mutation($documents: [PutKnowledgeDocumentInput!]!) {{
  putKnowledgeDocuments(documents: $documents) {{ {FIELDS} }}
}}"""
DELETE = """mutation($base: ID!, $ids: [String!]!, $version: String) {
  deleteKnowledgeDocuments(knowledgeBaseId: $base, externalIds: $ids, version: $version) { ids }
}"""


async def put(api: Api, base_id: UUID, *documents: dict[str, Any]) -> list[dict[str, Any]]:
    """Put documents into a base by the API."""
    given = [{"knowledgeBaseId": str(base_id), **document} for document in documents]
    found: list[dict[str, Any]] = (await api.ask(PUT, documents=given))["putKnowledgeDocuments"]
    return found


async def external_ids(api: Api) -> list[tuple[str, str]]:
    """Return the versions and external ids of all documents, in order."""
    data = await api.ask("{ knowledgeDocuments { nodes { version externalId } } }")
    return sorted((node["version"], node["externalId"]) for node in data["knowledgeDocuments"]["nodes"])


async def test_a_put_adds_a_document_or_changes_the_one_with_its_external_id(
    api: Api, owner: AsyncEngine
) -> None:
    base = await factories.knowledge_base(api)
    full = {"externalId": "a.md", "name": "A", "type": "text/markdown", "size": 2**40, "hash": "1"}
    [first, other] = await put(api, base.id, full, {"externalId": "b.md", "name": "B"})
    assert first["version"] == "default"
    assert (first["status"], first["size"]) == ("PENDING", 2**40)
    [again, new, old] = await put(
        api,
        base.id,
        {"externalId": "a.md", "name": "A2", "type": None, "metadata": {"k": 1}},
        {"externalId": "c.md", "name": "C"},
        {"externalId": "b.md", "name": "B", "status": "FAILED", "statusMessage": "not readable"},
    )
    # What is left out stays, and null clears.
    assert again == first | {"name": "A2", "type": None, "metadata": {"k": 1}}
    assert old == other | {"status": "FAILED", "statusMessage": "not readable"}
    assert new["id"] not in {first["id"], other["id"]}
    assert await untrue(owner, api) == []


async def test_external_ids_are_unique_in_a_version_of_a_base_and_others_may_have_the_same(
    api: Api, owner: AsyncEngine
) -> None:
    one, two = [await factories.knowledge_base(api) for _ in range(2)]
    document = {"externalId": "a.md", "name": "A"}
    made = [
        *await put(api, one.id, document, document | {"version": "v2"}),
        *await put(api, two.id, document),
        *await put(api, one.id, {"name": "no id"}, {"name": "no id"}),
    ]
    assert len({document["id"] for document in made}) == 5
    error = await api.error(
        'mutation($id: ID!) { updateKnowledgeDocument(id: $id, input: {externalId: "a.md"}) { id } }',
        id=made[-1]["id"],
    )
    assert error["extensions"] == {"code": "CONFLICT", "field": "externalId"}
    assert error["message"] == (
        "another knowledge document of this project has the same knowledgeBaseId and version and externalId"
    )
    assert await untrue(owner, api) == []


async def test_a_document_that_comes_twice_in_one_put_is_refused(api: Api) -> None:
    base = await factories.knowledge_base(api)
    document = {"knowledgeBaseId": str(base.id), "externalId": "a.md", "name": "A"}
    error = await api.error(PUT, documents=[document, document | {"version": "v2"}, document])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "documents.2.externalId"}
    assert error["message"] == "documents.2.externalId repeats documents.0.externalId"
    assert await external_ids(api) == []


async def test_an_unknown_base_among_documents_adds_none_and_is_named(api: Api, other: Api) -> None:
    base, theirs = await factories.knowledge_base(api), await factories.knowledge_base(other)
    given = [{"knowledgeBaseId": str(each.id), "name": "A"} for each in (base, theirs)]
    error = await api.error(PUT, documents=given)
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "documents.1.knowledgeBaseId"}
    assert await external_ids(api) == []


async def test_many_documents_are_changed_in_few_statements(api: Api) -> None:
    base = await factories.knowledge_base(api)
    documents = [{"externalId": f"{n}.md", "name": str(n)} for n in range(300)]
    await put(api, base.id, *documents)
    with traffic(api.database) as seen:
        await put(api, base.id, *[document | {"hash": "2"} for document in documents])
    assert len(seen.statements) <= 6, seen.statements


async def test_documents_that_are_put_at_the_same_time_are_there_once(api: Api, owner: AsyncEngine) -> None:
    base = await factories.knowledge_base(api)

    def documents(order: int) -> list[dict[str, Any]]:
        values = [
            {"knowledge_base_id": base.id, "external_id": f"{n}.md", "name": str(order)} for n in range(20)
        ]
        return values[::order]

    puts = [
        api.run(knowledge_documents.put_all, documents=documents(order)) for order in (1, -1, 1, -1, 1, -1)
    ]
    made = await asyncio.gather(*puts)
    assert len({document.id for documents in made for document in documents}) == 20
    assert await untrue(owner, api) == []


async def test_documents_that_come_while_their_version_is_deleted_are_there_or_gone_as_a_whole(
    api: Api, owner: AsyncEngine
) -> None:
    base = await factories.knowledge_base(api)
    for _ in range(5):
        document = await factories.knowledge_document(api, base.id)
        version_id = document.version_id
        await asyncio.gather(
            api.run(knowledge_bases.delete_version, id_=version_id),
            *[factories.knowledge_document(api, base.id) for _ in range(4)],
        )
        assert await untrue(owner, api) == []


async def test_documents_are_deleted_by_external_id_in_one_version_or_in_all(
    api: Api, owner: AsyncEngine
) -> None:
    base, other = [await factories.knowledge_base(api) for _ in range(2)]
    made = {}
    for version in ("v1", "v2"):
        for name in ("a", "b", "c"):
            document = await factories.knowledge_document(api, base.id, external_id=name, version=version)
            await factories.knowledge_chunks_of(api, document.id, "a chunk")
            made[version, name] = str(document.id)
    await factories.knowledge_document(api, other.id, external_id="a", version="v3")
    gone = await api.ask(DELETE, base=str(base.id), ids=["a", "no such file"], version="v1")
    assert gone == {"deleteKnowledgeDocuments": {"ids": [made["v1", "a"]]}}
    gone = await api.ask(DELETE, base=str(base.id), ids=["a", "b"])
    assert set(gone["deleteKnowledgeDocuments"]["ids"]) == {made["v2", "a"], made["v1", "b"], made["v2", "b"]}
    assert await external_ids(api) == [("v1", "c"), ("v2", "c"), ("v3", "a")]
    assert await untrue(owner, api) == []


async def test_many_documents_are_deleted_by_external_id_in_parts(
    api: Api, owner: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge_documents, "_DELETED_TOGETHER", 3)
    base = await factories.knowledge_base(api)
    made = [
        await factories.knowledge_document(api, base.id, external_id="a", version=str(version))
        for version in range(8)
    ]
    deleted = await api.run(knowledge_documents.delete_all, knowledge_base_id=base.id, external_ids=["a"])
    assert set(deleted) == {document.id for document in made}
    assert await external_ids(api) == []
    assert await untrue(owner, api) == []


async def test_a_document_is_deleted_with_its_chunks(api: Api, owner: AsyncEngine) -> None:
    base = await factories.knowledge_base(api)
    gone, kept = [await factories.knowledge_document(api, base.id) for _ in range(2)]
    for document in (gone, kept):
        await factories.knowledge_chunks_of(api, document.id, "one", "two")
    delete = "mutation($id: ID!) { deleteKnowledgeDocument(id: $id) { ids } }"
    deleted = await api.ask(delete, id=str(gone.id))
    assert deleted == {"deleteKnowledgeDocument": {"ids": [str(gone.id)]}}
    left = await api.ask("{ knowledgeChunks { totalCount } knowledgeBases { nodes { chunkCount } } }")
    assert left == {"knowledgeChunks": {"totalCount": 2}, "knowledgeBases": {"nodes": [{"chunkCount": 2}]}}
    error = await api.error(delete, id=str(gone.id))
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}
    assert await untrue(owner, api) == []


async def test_deleting_from_an_unknown_base_is_refused(api: Api) -> None:
    error = await api.error(DELETE, base="01900000-0000-7000-8000-000000000000", ids=["a"])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "knowledgeBaseId"}


async def test_accesses_are_counted_once_each_under_concurrency(api: Api, owner: AsyncEngine) -> None:
    base = await factories.knowledge_base(api)
    documents = [await factories.knowledge_document(api, base.id) for _ in range(3)]
    ids = [document.id for document in documents]
    await asyncio.gather(
        *[
            api.run(knowledge_documents.record_accesses, document_ids=some)
            for some in (ids, ids[::-1], [ids[0], ids[2], ids[0]], ids, ids[::-1])
        ]
    )
    data = await api.ask(
        "{ knowledgeDocuments(orderBy: [{field: ACCESS_COUNT, direction: DESC}])"
        " { nodes { id accessCount } } }"
    )
    assert data["knowledgeDocuments"]["nodes"] == [
        {"id": str(ids[0]), "accessCount": 6},
        {"id": str(ids[2]), "accessCount": 5},
        {"id": str(ids[1]), "accessCount": 4},
    ]
    assert await untrue(owner, api) == []


async def test_an_access_to_an_unknown_document_counts_none(api: Api, other: Api) -> None:
    own = await factories.knowledge_document(api, (await factories.knowledge_base(api)).id)
    theirs = await factories.knowledge_document(other, (await factories.knowledge_base(other)).id)
    error = await api.error(
        "mutation($ids: [ID!]!) { recordKnowledgeAccesses(documentIds: $ids) { id } }",
        ids=[str(own.id), str(theirs.id)],
    )
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "documentIds"}
    data = await api.ask("{ knowledgeDocuments { nodes { accessCount lastAccessedAt } } }")
    assert data["knowledgeDocuments"]["nodes"] == [{"accessCount": 0, "lastAccessedAt": None}]


@pytest.mark.parametrize("number", [0, 1_001])
async def test_a_write_takes_a_bounded_number_of_documents(api: Api, number: int) -> None:
    base = await factories.knowledge_base(api)
    with pytest.raises(BadUserInputError, match=f"documents has {number} items; it may have from 1 to 1000"):
        await api.run(
            knowledge_documents.put_all,
            documents=[{"knowledge_base_id": base.id, "name": "a"}] * number,
        )
