"""Write operations of the vectors of knowledge bases: filling them in, and changing their model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentdata.checks import check_range
from agentdata.errors import BadUserInputError, ConflictError, not_found
from agentdata.operations import embeddings as vectors_
from agentdata.operations.embeddings import CHUNKS, checked
from agentdata.vectors import check_dimensions
from models import KnowledgeBase, KnowledgeChunk
from models.embedding import MAX_DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork
    from agentdata.vectors import Vector

_DELETED_TOGETHER = 2_000
"""How many vectors one transaction deletes."""

_HOLD = """
SELECT embedding_model, dimensions, next_embedding_model, next_dimensions FROM knowledge_bases
WHERE project_id = $1 AND id = $2 FOR """

_SET_DIMENSIONS = """
UPDATE knowledge_bases SET dimensions = $3, updated_at = clock_timestamp()
WHERE project_id = $1 AND id = $2"""

_FIND_CHUNKS = """
SELECT id FROM knowledge_chunks WHERE project_id = $1 AND knowledge_base_id = $2 AND id = ANY($3::uuid[])"""

_HAS_VECTORS = """
SELECT FROM knowledge_embeddings WHERE project_id = $1 AND knowledge_base_id = $2 LIMIT 1"""

_MISSING = """
SELECT count(*) AS missing FROM knowledge_chunks AS chunk
WHERE chunk.project_id = $1 AND chunk.knowledge_base_id = $2 AND NOT EXISTS (
  SELECT FROM knowledge_embeddings AS own WHERE own.project_id = $1 AND own.chunk_id = chunk.id
    AND own.model = $3 AND own.dimensions = $4)"""

_DELETE_OTHERS = """
WITH chosen AS MATERIALIZED (
  SELECT chunk_id, model FROM knowledge_embeddings
  WHERE project_id = $1 AND knowledge_base_id = $2 AND NOT (model = ANY($3::text[])) LIMIT $4
), cleared AS (
  DELETE FROM knowledge_embeddings AS own USING chosen
  WHERE own.project_id = $1 AND own.chunk_id = chosen.chunk_id AND own.model = chosen.model RETURNING 1
)
SELECT count(*) AS cleared FROM cleared"""


async def put(
    write: UnitOfWork, knowledge_base_id: UUID, model: str, embeddings: list[dict[str, Any]]
) -> KnowledgeBase:
    """Add or replace the vectors of chunks of a base, by its model or by its next one.

    Raises:
        BadUserInputError: The base uses no such model, or a vector has another size than the others of it.
        NotFoundError: A chunk is not in this base. Nothing is written.

    """
    found = checked(model, embeddings, "chunk_id")
    vectors = [vector for _, vector in found]
    paths = [f"embeddings.{place}.embedding" for place in range(len(vectors))]
    await hold(write, knowledge_base_id, model, vectors, paths, "model")
    ids = [id_ for id_, _ in found]
    known = {row["id"] for row in await write.fetch(_FIND_CHUNKS, write.project_id, knowledge_base_id, ids)}
    for place, each in enumerate(embeddings):
        if each["chunk_id"] not in known:
            raise not_found(KnowledgeChunk, each["chunk_id"], f"embeddings.{place}.chunkId")
    await vectors_.store(write, CHUNKS, model, found, field="embeddings")
    return await write.get(KnowledgeBase, knowledge_base_id)


async def hold(
    write: UnitOfWork,
    base_id: UUID,
    model: str | None,
    vectors: Sequence[Vector],
    paths: Sequence[str],
    field: str,
) -> str:
    """Return the model of vectors to be written, and keep the base from changing it meanwhile.

    ``paths`` are the client's paths to the vectors, and ``field`` is that to the model. The first vectors of
    a base decide its ``dimensions``, unless it has them.

    Raises:
        BadUserInputError: The base has no model or uses no such model, or a vector has the wrong size.

    """
    before = await write.get(KnowledgeBase, base_id, field="knowledgeBaseId")
    lock = "NO KEY UPDATE" if before.dimensions is None else "SHARE"
    [base] = await write.fetch(_HOLD + lock, write.project_id, base_id)
    sizes = {
        base["embedding_model"]: base["dimensions"],
        base["next_embedding_model"]: base["next_dimensions"],
    }
    if base["embedding_model"] is None and base["next_embedding_model"] is None:
        raise BadUserInputError(
            "the knowledge base has no embeddingModel; set it by updateKnowledgeBase first", field=paths[0]
        )
    names = " and ".join(name for name in sizes if name is not None)
    if model is None and base["next_embedding_model"] is not None:
        # The base may change its model while a writer that names none still makes vectors by the old one.
        raise BadUserInputError(
            f"the knowledge base is being re-embedded and takes vectors of {names}: name the {field} that"
            " made these",
            field=field,
        )
    used = base["embedding_model"] if model is None else model
    if used is None or used not in sizes:
        raise BadUserInputError(
            f"the knowledge base uses the model {names}, not {used}; start a re-embedding to change it",
            field=field,
        )
    size = sizes[used]
    if size is None:
        size = vectors[0].dimensions
        await write.fetch(_SET_DIMENSIONS, write.project_id, base_id, size)
    for path, vector in zip(paths, vectors, strict=True):
        check_dimensions(path, vector, size, used)
    return str(used)


async def check_change(write: UnitOfWork, base: KnowledgeBase | None, values: dict[str, Any]) -> None:
    """Refuse a change of the model or the size of a base that has vectors, which are not compared then.

    Raises:
        BadUserInputError: The base would have dimensions without a model.
        ConflictError: The base has vectors, or is being re-embedded.

    """
    if values.get("embedding_model") is not None:
        vectors_.check_model("embeddingModel", values["embedding_model"])
    names = ("embedding_model", "dimensions")
    after = {name: values.get(name, getattr(base, name, None)) for name in names}
    if after["dimensions"] is not None and after["embedding_model"] is None:
        raise BadUserInputError("dimensions needs an embeddingModel", field="dimensions")
    changed = [name for name in names if base is not None and after[name] != getattr(base, name)]
    if base is None or not changed:
        return
    field = "embeddingModel" if changed[0] == "embedding_model" else "dimensions"
    if base.next_embedding_model is not None or await write.fetch(_HAS_VECTORS, write.project_id, base.id):
        raise ConflictError(
            "the knowledge base has vectors, or is being re-embedded; start a re-embedding to change its"
            " model, under another name if only the dimensions change",
            field=field,
        )


async def start(write: UnitOfWork, id_: UUID, embedding_model: str, dimensions: int) -> KnowledgeBase:
    """Let a base take vectors of another model beside those that searches compare.

    Raises:
        ConflictError: The base uses this model already, or is being re-embedded for another.

    """
    vectors_.check_model("embeddingModel", embedding_model)
    check_range("dimensions", dimensions, 1, MAX_DIMENSIONS)
    # An interrupted finish or cancel may have left vectors of the same name and another size.
    await _delete_others(write, id_)
    base = await write.get(KnowledgeBase, id_, lock=True)
    if base.embedding_model == embedding_model:
        raise ConflictError(
            "the knowledge base uses this model already; for another size of it, choose a name that says the"
            " size",
            field="embeddingModel",
        )
    if (base.next_embedding_model, base.next_dimensions) == (embedding_model, dimensions):
        return base
    if base.next_embedding_model is not None:
        raise ConflictError(
            f"the knowledge base is being re-embedded by {base.next_embedding_model} already; cancel that"
            " first",
            field="embeddingModel",
        )
    return await write.update(base, {"next_embedding_model": embedding_model, "next_dimensions": dimensions})


async def finish(
    write: UnitOfWork, id_: UUID, *, embedding_model: str | None = None, allow_missing: bool = False
) -> KnowledgeBase:
    """Let searches compare the vectors of the next model from now on, and delete those of the model before.

    With the name of the model it may be repeated: if the base has changed to this model, only what was left
    of the deletion is done.

    Raises:
        ConflictError: The base is not being re-embedded, or not by this model, or chunks have no vector of
            the next model.

    """
    if embedding_model is not None:
        vectors_.check_model("embeddingModel", embedding_model)

    async def switch(part: UnitOfWork) -> None:
        base = await part.get(KnowledgeBase, id_, lock=True)
        if base.next_embedding_model is None and embedding_model is None:
            raise ConflictError(
                "the knowledge base is not being re-embedded; if a finish of it was interrupted,"
                " cancelKnowledgeReembedding deletes the vectors that it has left; to repeat one, give its"
                " embeddingModel",
                field="id",
            )
        if base.next_embedding_model is None and base.embedding_model == embedding_model:
            return
        if embedding_model not in {None, base.next_embedding_model}:
            raise ConflictError(
                f"the knowledge base is not being re-embedded by {embedding_model}; its embeddingModel is"
                f" {base.embedding_model}, and its nextEmbeddingModel is"
                f" {base.next_embedding_model or 'null'}",
                field="embeddingModel",
            )
        size = (base.next_embedding_model, base.next_dimensions)
        [record] = await part.fetch(_MISSING, part.project_id, id_, *size)
        if record["missing"] and not allow_missing:
            raise ConflictError(
                f"{record['missing']:,} chunks have no vector of {base.next_embedding_model}: put them first,"
                " or set allowMissing, and searches by meaning will not find these chunks",
                field="allowMissing",
            )
        await part.update(
            base,
            {
                "embedding_model": base.next_embedding_model,
                "dimensions": base.next_dimensions,
                "next_embedding_model": None,
                "next_dimensions": None,
            },
        )
        if part is not write:
            await write.record([id_], by=part)

    await write.run_separately(switch)
    await _delete_others(write, id_)
    return await write.get(KnowledgeBase, id_)


async def cancel(write: UnitOfWork, id_: UUID) -> KnowledgeBase:
    """Clear the next model of a base, and delete all vectors that are not of its present model."""

    async def clear(part: UnitOfWork) -> None:
        base = await part.get(KnowledgeBase, id_, lock=True)
        if base.next_embedding_model is not None:
            await part.update(base, {"next_embedding_model": None, "next_dimensions": None})
            if part is not write:
                await write.record([id_], by=part)

    await write.run_separately(clear)
    await _delete_others(write, id_)
    return await write.get(KnowledgeBase, id_)


async def _delete_others(write: UnitOfWork, base_id: UUID) -> None:
    """Delete vectors of models that a base no longer uses, in batches."""

    async def delete(part: UnitOfWork) -> int:
        # The lock keeps a re-embedding from beginning between the look at the models and the deletion.
        base = await part.get(KnowledgeBase, base_id, lock=True)
        used = [name for name in (base.embedding_model, base.next_embedding_model) if name is not None]
        [record] = await part.fetch(_DELETE_OTHERS, part.project_id, base_id, used, _DELETED_TOGETHER)
        return int(record["cleared"])

    while await write.run_separately(delete) == _DELETED_TOGETHER:
        pass
