"""Vectors of chunks, memories and messages are stored with them, replaced, and deleted with their texts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import text

from agentdata.operations import memory_annotations
from models.enums import MessageRole
from tests import factories
from tests.factories import said
from tests.test_vectors import as_base64
from tests.writes import untrue

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

PUT = """mutation($id: ID!, $chunks: [KnowledgeChunkInput!]!, $model: String) {
  putKnowledgeChunks(documentId: $id, chunks: $chunks, embeddingModel: $model) {
    chunks { nodes { id content embedding embeddedAt } }
    knowledgeBase { embeddingModel dimensions embeddedCount versions { nodes { embeddedCount } } }
  }
}"""
FILL = """mutation($id: ID!, $model: String!, $embeddings: [KnowledgeEmbeddingInput!]!) {
  putKnowledgeEmbeddings(knowledgeBaseId: $id, model: $model, embeddings: $embeddings) {
    dimensions embeddedCount nextEmbeddedCount versions { nodes { embeddedCount nextEmbeddedCount } }
    chunks(orderBy: [{field: POSITION, direction: ASC}]) { nodes { embedding } }
  }
}"""
MISSING = """query($id: ID!, $model: String!) {
  knowledgeBase(id: $id) { chunks(filter: {embeddings: {none: {model: {eq: $model}}}}) {
    nodes { id content }
  } }
}"""


async def vectors(owner: AsyncEngine, api: Api, table: str) -> list[Any]:
    """Return the models and vectors in a table, as the owner sees them."""
    async with owner.connect() as connection:
        found = await connection.execute(
            text(f"SELECT model, embedding FROM {table} WHERE project_id = :id ORDER BY 1, 2"),  # noqa: S608  # ours
            {"id": api.project_id},
        )
        return [(row.model, row.embedding) for row in found]


async def test_chunks_are_stored_with_their_vectors_as_they_were_sent(api: Api, owner: AsyncEngine) -> None:
    base = await factories.knowledge_base(api, embedding_model="small")
    document = await factories.knowledge_document(api, base.id)
    chunks = [
        {"content": "one", "embedding": [0.1, 1e-5, -3]},
        {"content": "two"},
        {"content": "three", "embedding": as_base64(1, 2, 0.7)},
    ]
    for way in (api, api.by_reference()):
        put = (await way.ask(PUT, id=str(document.id), chunks=chunks))["putKnowledgeChunks"]
        nodes = put["chunks"]["nodes"]
        assert [node["embedding"] for node in nodes] == [[0.1, 1e-5, -3], None, [1, 2, 0.7]]
        assert [node["embeddedAt"] is None for node in nodes] == [False, True, False]
        assert put["knowledgeBase"] == {
            "embeddingModel": "small",
            "dimensions": 3,
            "embeddedCount": 2,
            "versions": {"nodes": [{"embeddedCount": 2}]},
        }
        missing = await way.ask(MISSING, id=str(base.id), model="small")
        assert [node["content"] for node in missing["knowledgeBase"]["chunks"]["nodes"]] == ["two"]
    # The chunks that were replaced took their vectors along.
    assert len(await vectors(owner, api, "knowledge_embeddings")) == 2
    assert await untrue(owner, api) == []


async def test_vectors_are_filled_in_afterwards_and_replaced(api: Api, owner: AsyncEngine) -> None:
    base = await factories.knowledge_base(api, embedding_model="small")
    document = await factories.knowledge_document(api, base.id)
    put = await api.ask(PUT, id=str(document.id), chunks=[{"content": "one"}, {"content": "two"}])
    ids = [node["id"] for node in put["putKnowledgeChunks"]["chunks"]["nodes"]]
    for numbers in ([1, 2], [3, 4]):
        given = [{"chunkId": id_, "embedding": numbers} for id_ in reversed(ids)]
        filled = await api.ask(FILL, id=str(base.id), model="small", embeddings=given)
        assert filled["putKnowledgeEmbeddings"] == {
            "dimensions": 2,
            "embeddedCount": 2,
            "nextEmbeddedCount": 0,
            "versions": {"nodes": [{"embeddedCount": 2, "nextEmbeddedCount": 0}]},
            "chunks": {"nodes": [{"embedding": numbers}] * 2},
        }
    assert await untrue(owner, api) == []


@pytest.mark.parametrize(
    ("base", "chunks", "model", "field", "message"),
    [
        ({}, [{"content": "x", "embedding": [1]}], None, "chunks.0.embedding", "no embeddingModel"),
        (
            {"embedding_model": "m"},
            [{"content": "x"}, {"content": "x", "embedding": [1, 2]}, {"content": "x", "embedding": [1]}],
            None,
            "chunks.2.embedding",
            "chunks.2.embedding has 1 numbers; the vectors of the model m have 2",
        ),
        (
            {"embedding_model": "m", "dimensions": 2},
            [{"content": "x", "embedding": [1, 2, 3]}],
            "m",
            "chunks.0.embedding",
            "has 3 numbers",
        ),
        (
            {"embedding_model": "m"},
            [{"content": "x", "embedding": [1]}],
            "n",
            "embeddingModel",
            "uses the model m, not n",
        ),
    ],
)
async def test_vectors_that_a_base_does_not_take_are_refused(  # the values of the cases
    api: Api,
    owner: AsyncEngine,
    base: dict[str, Any],
    chunks: list[dict[str, Any]],
    model: str | None,
    field: str,
    message: str,
) -> None:
    made = await factories.knowledge_base(api, **base)
    document = await factories.knowledge_document(api, made.id)
    error = await api.error(PUT, id=str(document.id), chunks=chunks, model=model)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
    assert message in error["message"]
    assert await vectors(owner, api, "knowledge_embeddings") == []
    after = await api.ask(
        "query($id: ID!) { knowledgeBase(id: $id) { chunkCount dimensions } }", id=str(made.id)
    )
    assert after["knowledgeBase"] == {"chunkCount": 0, "dimensions": base.get("dimensions")}


async def test_vectors_go_to_chunks_of_their_base_only(api: Api, other: Api) -> None:
    base = await factories.knowledge_base(api, embedding_model="m")
    second = await factories.knowledge_base(api, embedding_model="m")
    document = await factories.knowledge_document(api, base.id)
    put = await api.ask(PUT, id=str(document.id), chunks=[{"content": "one"}])
    [chunk] = [node["id"] for node in put["putKnowledgeChunks"]["chunks"]["nodes"]]
    given = [{"chunkId": chunk, "embedding": [1]}]
    for sender, target in ((api, second), (other, base)):
        error = await sender.error(FILL, id=str(target.id), model="m", embeddings=given)
        assert error["extensions"]["code"] == "NOT_FOUND"
    error = await api.error(FILL, id=str(base.id), model="m", embeddings=given * 2)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "embeddings.1.chunkId"}
    error = await api.error(FILL, id=str(base.id), model=" ", embeddings=given)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "model"}
    error = await api.error(FILL, id=str(base.id), model="m", embeddings=[])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "embeddings"}


MEMORY = (
    '{ id embedding embeddedAt embeddingModel old: embedding(model: "old") at: embeddedAt(model: "old") }'
)
CREATE = f"mutation($memories: [CreateMemoryInput!]!) {{ createMemories(memories: $memories) {MEMORY} }}"
UPDATE = f"mutation($id: ID!, $input: UpdateMemoryInput!) {{ updateMemory(id: $id, input: $input) {MEMORY} }}"


async def test_memories_carry_vectors_of_any_model_and_size(api: Api, owner: AsyncEngine) -> None:
    given = [
        {"content": "a", "embedding": [1, 2], "embeddingModel": "old"},
        {"content": "b"},
        {"content": "c", "embedding": [1, 2, 3], "embeddingModel": "new"},
    ]
    first, second, third = (await api.ask(CREATE, memories=given))["createMemories"]
    assert (first["embedding"], first["embeddingModel"], first["old"]) == ([1, 2], "old", [1, 2])
    assert (second["embedding"], second["embeddingModel"], second["embeddedAt"]) == (None, None, None)
    assert (third["embedding"], third["old"], third["at"]) == ([1, 2, 3], None, None)
    put = """mutation($embeddings: [MemoryEmbeddingInput!]!) {
      putMemoryEmbeddings(model: "new", embeddings: $embeddings) { id embedding }
    }"""
    filled = [{"memoryId": each["id"], "embedding": [7]} for each in (second, first)]
    assert (await api.ask(put, embeddings=filled))["putMemoryEmbeddings"] == [
        {"id": second["id"], "embedding": [7]},
        {"id": first["id"], "embedding": [7]},
    ]
    assert await vectors(owner, api, "memory_embeddings") == [
        ("new", [1, 2, 3]),
        ("new", [7]),
        ("new", [7]),
        ("old", [1, 2]),
    ]


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"importance": 2}, {"old": [1], "new": [2]}),
        ({"content": "a"}, {"old": [1], "new": [2]}),
        ({"content": "b"}, {}),
        ({"name": "b"}, {}),
        ({"description": "b"}, {}),
        ({"content": "b", "embedding": [9], "embeddingModel": "old"}, {"old": [9]}),
        ({"embedding": [9], "embeddingModel": "old"}, {"old": [9], "new": [2]}),
        ({"embedding": None, "embeddingModel": "old"}, {"new": [2]}),
        ({"embedding": None}, {}),
    ],
)
async def test_a_change_of_a_text_deletes_the_vectors_of_a_memory(
    api: Api, owner: AsyncEngine, change: dict[str, Any], left: dict[str, Any]
) -> None:
    given = {"content": "a", "embedding": [1], "embeddingModel": "old"}
    [memory] = (await api.ask(CREATE, memories=[given]))["createMemories"]
    second = {"embedding": [2], "embeddingModel": "new"}
    updated = await api.ask(UPDATE, id=memory["id"], input=second)
    assert updated["updateMemory"]["embedding"] == [2]
    await api.ask(UPDATE, id=memory["id"], input=change)
    assert dict(await vectors(owner, api, "memory_embeddings")) == left


async def test_an_applied_correction_deletes_the_vectors_of_a_memory(api: Api, owner: AsyncEngine) -> None:
    given = {"content": "a", "embedding": [1], "embeddingModel": "m"}
    [memory] = (await api.ask(CREATE, memories=[given]))["createMemories"]
    annotation = await factories.memory_annotation(
        api, UUID(memory["id"]), annotation_type="correction", content="b"
    )
    await api.run(memory_annotations.apply, id_=annotation.id)
    assert await vectors(owner, api, "memory_embeddings") == []


async def test_a_vector_of_a_memory_needs_its_model(api: Api) -> None:
    error = await api.error(CREATE, memories=[{"content": "a"}, {"content": "a", "embedding": [1]}])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "memories.1.embeddingModel"}
    wrong = {"content": "a", "embedding": [1], "embeddingModel": " "}
    error = await api.error(CREATE, memories=[wrong])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "memories.0.embeddingModel"}


async def test_a_message_loses_its_vectors_with_its_content(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    messages = await factories.say(api, session.id, *[said(content=f"number {n}") for n in range(4)])
    put = """mutation($embeddings: [MessageEmbeddingInput!]!) {
      putMessageEmbeddings(model: "m", embeddings: $embeddings) { sequence embedding embeddingModel }
    }"""
    given = [{"messageId": str(each.id), "embedding": [1, place]} for place, each in enumerate(messages)]
    assert (await api.ask(put, embeddings=given))["putMessageEmbeddings"] == [
        {"sequence": place + 1, "embedding": [1, place], "embeddingModel": "m"} for place in range(4)
    ]
    assert await untrue(owner, api) == []
    first, second, third, _ = [str(each.id) for each in messages]
    change = (
        "mutation($id: ID!, $input: UpdateMessageInput!) { updateMessage(id: $id, input: $input) { id } }"
    )
    await api.ask(change, id=first, input={"content": "another"})
    await api.ask(change, id=second, input={"flagged": True})
    await api.ask("mutation($id: ID!) { redactMessage(id: $id) { id } }", id=third)
    for ids in ([third], [str(messages[3].id), third]):
        error = await api.error(put, embeddings=[{"messageId": id_, "embedding": [9, 9]} for id_ in ids])
        assert error["extensions"] == {
            "code": "CONFLICT",
            "field": f"embeddings.{len(ids) - 1}.messageId",
        }
    assert await vectors(owner, api, "message_embeddings") == [("m", [1, 1]), ("m", [1, 3])]
    await api.ask("mutation($id: ID!) { deleteSession(id: $id) { ids } }", id=str(session.id))
    assert await vectors(owner, api, "message_embeddings") == []


APPEND = """mutation($id: ID!, $messages: [AppendMessageInput!]!) {
  appendMessages(sessionId: $id, messages: $messages, idempotencyKey: "once") {
    id sequence embedding embeddingModel
  }
}"""


async def test_messages_are_appended_with_vectors_of_any_model_and_size(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    call = {"callId": "c", "name": "look_up", "arguments": {}}
    await factories.say(
        api, session.id, said(role=MessageRole.ASSISTANT, tool_calls=[{"call_id": "b", "name": "n"}])
    )
    given: list[dict[str, Any]] = [
        {"role": "USER", "content": "a", "embedding": [1, 2], "embeddingModel": "old"},
        {"role": "ASSISTANT", "content": "b", "toolCalls": [call]},
        {"role": "TOOL", "toolCallId": "c", "embedding": as_base64(1, 2, 3), "embeddingModel": "new"},
        {"role": "TOOL", "toolCallId": "b", "embedding": [3], "embeddingModel": "old"},
        {"role": "USER", "embedding": None, "embeddingModel": "new"},
    ]
    made = await api.ask(APPEND, id=str(session.id), messages=given)
    assert [
        (each["sequence"], each["embedding"], each["embeddingModel"]) for each in made["appendMessages"]
    ] == [
        (2, [1, 2], "old"),
        (3, None, None),
        (4, [1, 2, 3], "new"),
        (5, [3], "old"),
        (6, None, None),
    ]
    stored = [("new", [1, 2, 3]), ("old", [1, 2]), ("old", [3])]
    assert await vectors(owner, api, "message_embeddings") == stored
    given[2]["embedding"] = [1, 2, 3]
    assert await api.ask(APPEND, id=str(session.id), messages=given) == made
    given[2]["embedding"] = [1, 2, 4]
    assert (await api.error(APPEND, id=str(session.id), messages=given))["extensions"]["code"] == "CONFLICT"
    assert await vectors(owner, api, "message_embeddings") == stored
    assert await untrue(owner, api) == []


async def test_a_wrong_vector_of_a_message_is_named_and_nothing_is_appended(
    api: Api, owner: AsyncEngine
) -> None:
    session = await factories.session(api)
    right = {"role": "USER", "embedding": [1], "embeddingModel": "m"}
    for message, field in (
        ({"role": "USER", "embedding": [1]}, "messages.1.embeddingModel"),
        (right | {"embeddingModel": " "}, "messages.1.embeddingModel"),
        (right | {"embeddingModel": "m" * 256}, "messages.1.embeddingModel"),
        (right | {"role": "USER", "toolCallId": "c"}, "messages.1.toolCallId"),
    ):
        error = await api.error(APPEND, id=str(session.id), messages=[right, message])
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
    error = await api.error(APPEND, id=str(session.id), messages=[right] * 1_001)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "messages"}
    assert "1,001 items with an embedding" in error["message"]
    plain = [{"role": "USER"}] * 500
    made = await api.ask(APPEND, id=str(session.id), messages=[right] * 1_000 + plain)
    assert len(made["appendMessages"]) == 1_500
    assert len(await vectors(owner, api, "message_embeddings")) == 1_000


@pytest.mark.parametrize("mutation", ["deleteMemoryEmbeddings", "deleteMessageEmbeddings"])
async def test_vectors_of_a_retired_model_are_deleted_in_batches(
    api: Api, other: Api, owner: AsyncEngine, mutation: str
) -> None:
    delete = f"""mutation($model: String!, $limit: Int! = 1000) {{
      {mutation}(model: $model, limit: $limit) {{ ids }}
    }}"""
    is_memory = mutation == "deleteMemoryEmbeddings"
    table = "memory_embeddings" if is_memory else "message_embeddings"

    async def filled(way: Api, model: str) -> set[str]:
        given = [{"content": f"{n}", "embedding": [1, n], "embeddingModel": model} for n in range(5)]
        if is_memory:
            made = (await way.ask(CREATE, memories=given))["createMemories"]
        else:
            session = await factories.session(way)
            said_ = [each | {"role": "USER"} for each in given]
            made = (await way.ask(APPEND, id=str(session.id), messages=said_))["appendMessages"]
        return {each["id"] for each in made}

    async def deleted(way: Api, **asked: Any) -> list[str]:
        return list((await way.ask(delete, **asked)).popitem()[1]["ids"])

    retired = await filled(api, "retired")
    await filled(other, "retired")
    kept = await vectors(owner, other, table)
    seen = [await deleted(api, model="retired", limit=2) for _ in range(4)]
    assert [len(ids) for ids in seen] == [2, 2, 1, 0]
    assert {id_ for ids in seen for id_ in ids} == retired
    assert await vectors(owner, api, table) == []
    assert await deleted(api, model="unknown") == []
    assert await vectors(owner, other, table) == kept
    for asked, field in (
        ({"model": " "}, "model"),
        ({"model": "m" * 256}, "model"),
        ({"model": "m", "limit": 0}, "limit"),
        ({"model": "m", "limit": 10_001}, "limit"),
    ):
        error = await api.error(delete, **asked)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_vectors_that_the_worker_would_make_again_are_not_deleted(api: Api) -> None:
    database = api.database.within(None)
    database.embedding_model = "m"
    error = await replace(api, database=database).error(
        'mutation { deleteMemoryEmbeddings(model: "m") { ids } }'
    )
    assert error["extensions"] == {"code": "CONFLICT", "field": "model"}


async def test_a_write_with_vectors_is_repeated_by_its_idempotency_key(api: Api, owner: AsyncEngine) -> None:
    create = """mutation($input: CreateMemoryInput!) {
      createMemory(input: $input, idempotencyKey: "once") { id }
    }"""
    given = {"content": "a", "embedding": [1, 2], "embeddingModel": "m"}
    first = await api.ask(create, input=given)
    assert await api.ask(create, input=given | {"embedding": as_base64(1, 2)}) == first
    error = await api.error(create, input=given | {"embedding": [1, 3]})
    assert error["extensions"]["code"] == "CONFLICT"
    assert await vectors(owner, api, "memory_embeddings") == [("m", [1, 2])]


async def test_vectors_of_the_largest_size_are_stored(api: Api) -> None:
    base = await factories.knowledge_base(api, embedding_model="m", dimensions=4_000)
    document = await factories.knowledge_document(api, base.id)
    chunks = [{"content": f"number {n}", "embedding": as_base64(*[n + 1] * 4_000)} for n in range(20)]
    put = await api.ask(PUT, id=str(document.id), chunks=chunks)
    assert put["putKnowledgeChunks"]["knowledgeBase"]["embeddedCount"] == 20
