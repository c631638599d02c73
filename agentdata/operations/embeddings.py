"""Writes of the vectors of chunks, memories and messages, and their deletion when a text changes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from agentdata.checks import check_count, check_range, check_text
from agentdata.errors import BadUserInputError, ConflictError
from agentdata.naming import camel
from models import KnowledgeEmbedding, Memory, MemoryEmbedding, Message, MessageEmbedding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork
    from agentdata.vectors import Vector

MAX_EMBEDDINGS = 1_000
"""How many vectors one write may put."""

MAX_DELETED = 10_000
"""How many vectors one write may delete."""

MAX_MODEL = 255
"""The longest name of a model."""

EMBEDDING, EMBEDDING_MODEL = "embedding", "embedding_model"
"""The names of the values of a row that are no columns of it: its vector, and the model that made it."""


class Table(NamedTuple):
    """A table of vectors, the table that owns them, and the columns that both have."""

    name: str
    key: str
    owners: str
    repeated: tuple[str, ...] = ()


CHUNKS = Table(
    KnowledgeEmbedding.__tablename__, "chunk_id", "knowledge_chunks", ("knowledge_base_id", "version_id")
)
MEMORIES = Table(MemoryEmbedding.__tablename__, "memory_id", "memories")
MESSAGES = Table(MessageEmbedding.__tablename__, "message_id", "messages", ("session_id",))


def _statement(table: Table) -> str:
    """Return the statement that adds or replaces vectors, in the order of their keys."""
    names = "".join(f", {name}" for name in table.repeated)
    values = "".join(f", owner.{name}" for name in table.repeated)
    return f"""
INSERT INTO {table.name} (project_id, {table.key}, model, dimensions, embedding{names})
SELECT $1, owner.id, $2, vector_dims(given.embedding), given.embedding::real[]{values}
FROM unnest($3::uuid[], $4::vector[]) AS given (id, embedding)
JOIN {table.owners} AS owner ON owner.project_id = $1 AND owner.id = given.id ORDER BY owner.id
ON CONFLICT (project_id, {table.key}, model) DO UPDATE SET dimensions = excluded.dimensions,
  embedding = excluded.embedding, created_at = excluded.created_at"""  # noqa: S608  # names of the models


_STORE = {table: _statement(table) for table in (CHUNKS, MEMORIES, MESSAGES)}
_FORGET = {
    table: f"DELETE FROM {table.name} WHERE project_id = $1 AND {table.key} = $2 AND ($3::text IS NULL OR model = $3)"  # noqa: S608, E501  # as above
    for table in (MEMORIES, MESSAGES)
}

_DELETE = {
    table: f"""
WITH chosen AS MATERIALIZED (
  SELECT {table.key} AS id FROM {table.name} WHERE project_id = $1 AND model = $2 LIMIT $3
)
DELETE FROM {table.name} AS own USING chosen
WHERE own.project_id = $1 AND own.{table.key} = chosen.id AND own.model = $2
RETURNING own.{table.key} AS id"""  # noqa: S608  # names of the models
    for table in (MEMORIES, MESSAGES)
}


async def store(
    write: UnitOfWork, table: Table, model: str, vectors: Iterable[tuple[UUID, Vector]], *, field: str
) -> None:
    """Add the vectors of rows that exist, or replace those that the model made of them before.

    ``field`` is the input with the vectors.

    Raises:
        NoVectorsError: The database lacks pgvector.

    """
    ids, sent = zip(*vectors, strict=True)
    await write.accept_vectors(field)
    await write.fetch(_STORE[table], write.project_id, model, [*ids], [*sent])


async def store_new(
    write: UnitOfWork, table: Table, rows: Iterable[tuple[UUID, Vector | None, str | None]], *, field: str
) -> None:
    """Add the vectors of new rows, each given by its id, its vector and the model that made it, or None.

    Raises:
        NoVectorsError: The database lacks pgvector.

    """
    by_model: defaultdict[str, list[tuple[UUID, Vector]]] = defaultdict(list)
    for id_, vector, model in rows:
        if vector is not None and model is not None:
            by_model[model].append((id_, vector))
    for model, vectors in by_model.items():
        await store(write, table, model, vectors, field=field)


async def forget(write: UnitOfWork, table: Table, id_: UUID, model: str | None = None) -> None:
    """Delete the vectors of a memory or a message, those of one model or all."""
    await write.fetch(_FORGET[table], write.project_id, id_, model)


async def delete_of_memories(write: UnitOfWork, model: str, limit: int = 1_000) -> list[UUID]:
    """Delete vectors that a model made of memories, and return the ids of the memories."""
    return await _delete(write, MEMORIES, model, limit)


async def delete_of_messages(write: UnitOfWork, model: str, limit: int = 1_000) -> list[UUID]:
    """Delete vectors that a model made of messages, and return the ids of the messages."""
    return await _delete(write, MESSAGES, model, limit)


async def _delete(write: UnitOfWork, table: Table, model: str, limit: int) -> list[UUID]:
    """Delete vectors of a model, at most as many as ``limit``.

    Raises:
        BadUserInputError: No model can have this name, or the limit is out of range.
        ConflictError: This server makes vectors of the model, and would make them again.

    """
    check_model("model", model)
    check_range("limit", limit, 1, MAX_DELETED)
    if table is MEMORIES and model == write.embedding_model:
        raise ConflictError(
            "the worker of this server makes vectors of this model, and would make them again; its operator"
            " sets another AGENTDATA_EMBEDDINGS_MODEL first",
            field="model",
        )
    return [record["id"] for record in await write.fetch(_DELETE[table], write.project_id, model, limit)]


async def put_for_memories(write: UnitOfWork, model: str, embeddings: list[dict[str, Any]]) -> list[Memory]:
    """Add or replace the vectors that a model made of memories.

    Raises:
        NotFoundError: A memory is not in this project. Nothing is written.

    """
    vectors = checked(model, embeddings, "memory_id")
    fields = _fields(embeddings, "memory_id")
    # Updates of the text lock the memory, and delete the vectors that were put before them.
    found = await write.get_all(Memory, sorted(fields), field=fields, lock=True)
    await store(write, MEMORIES, model, vectors, field="embeddings")
    return _in_order(found, embeddings, "memory_id")


async def put_for_messages(write: UnitOfWork, model: str, embeddings: list[dict[str, Any]]) -> list[Message]:
    """Add or replace the vectors that a model made of messages.

    Raises:
        ConflictError: A message is redacted.
        NotFoundError: A message is not in this project. Nothing is written.

    """
    vectors = checked(model, embeddings, "message_id")
    fields = _fields(embeddings, "message_id")
    found = await write.get_all(Message, sorted(fields), field=fields, lock=True)
    for message in found:
        if message.redacted_at is not None:
            raise ConflictError(
                "the message is redacted permanently, so it takes no vector", field=fields[message.id]
            )
    await store(write, MESSAGES, model, vectors, field="embeddings")
    return _in_order(found, embeddings, "message_id")


def checked(model: str, embeddings: Sequence[dict[str, Any]], key: str) -> list[tuple[UUID, Vector]]:
    """Return the rows and vectors of a write.

    Raises:
        BadUserInputError: The name of the model is wrong, there are no vectors or too many, or a row comes
            twice.

    """
    check_model("model", model)
    check_count("embeddings", embeddings, MAX_EMBEDDINGS)
    vectors: dict[UUID, Vector] = {}
    for place, each in enumerate(embeddings):
        if each[key] in vectors:
            field = _path(place, key)
            raise BadUserInputError(f"{field} has the same id as another item", field=field)
        vectors[each[key]] = each[EMBEDDING]
    return [*vectors.items()]


def check_model(field: str, model: str) -> None:
    """Refuse a name that no model can have.

    Raises:
        BadUserInputError: It is blank, too long, or has a character that cannot be stored.

    """
    check_text(field, model, MAX_MODEL)
    if not model.strip():
        raise BadUserInputError(f"{field} may not be blank", field=field)


def split(values: dict[str, Any], path: str = "") -> tuple[dict[str, Any], Vector | None, str | None]:
    """Return the other values of a row, its vector, and the model that made it.

    Raises:
        BadUserInputError: There is a vector without a model.

    """
    model, vector = values.get(EMBEDDING_MODEL), values.get(EMBEDDING)
    if model is not None:
        check_model(f"{path}embeddingModel", model)
    elif vector is not None:
        raise BadUserInputError(
            f"{path}embedding needs the embeddingModel that made it", field=f"{path}embeddingModel"
        )
    return (
        {name: value for name, value in values.items() if name not in (EMBEDDING, EMBEDDING_MODEL)},
        vector,
        model,
    )


def _fields(embeddings: Sequence[dict[str, Any]], key: str) -> dict[UUID, str]:
    return {each[key]: _path(place, key) for place, each in enumerate(embeddings)}


def _path(place: int, key: str) -> str:
    return f"embeddings.{place}.{camel(key)}"


def _in_order(found: list[Any], embeddings: Sequence[dict[str, Any]], key: str) -> list[Any]:
    rows = {row.id: row for row in found}
    return [rows[each[key]] for each in embeddings]
