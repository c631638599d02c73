"""The vectors of chunks, memories and messages, and how many chunks have one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Integer, Select, Text, and_, bindparam, cast, func, select, true
from sqlalchemy.orm import aliased

from agentdata.checks import check_text
from agentdata.engine.fields import Bindings, argument
from agentdata.engine.sql.links import among_keys, keys_table
from agentdata.engine.sql.tenancy import owned
from models import KnowledgeBase, KnowledgeEmbedding, KnowledgeVersion, MemoryEmbedding, MessageEmbedding

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODEL = "model"

MODEL = argument(_MODEL, str, "The model that made the vector; by default the one whose vector came last.")


def bind_model(arguments: Mapping[str, Any], **_: Any) -> Bindings:
    """Bind the model whose vector a field shows.

    Raises:
        BadUserInputError: Its name has a character that cannot be stored.

    """
    model = arguments.get(_MODEL)
    if model is None:
        return Bindings((), {})
    check_text(_MODEL, model)
    return Bindings((("with_model", True),), {_MODEL: model})


def of_chunks() -> Select[Any]:
    """Select the vector of each chunk by the complete model of its base."""
    return _of_complete_model(_numbers(KnowledgeEmbedding))


def times_of_chunks() -> Select[Any]:
    """Select when the vector of each chunk by the complete model of its base was written."""
    return _of_complete_model(KnowledgeEmbedding.created_at.label("value"))


def of_memories(*, with_model: bool = False) -> Select[Any]:
    """Select the vector of each memory, of a model or the latest."""
    return _latest(MemoryEmbedding, "memory_id", _numbers, with_model=with_model)


def times_of_memories(*, with_model: bool = False) -> Select[Any]:
    """Select when the vector of each memory was written."""
    return _latest(MemoryEmbedding, "memory_id", _time, with_model=with_model)


def models_of_memories() -> Select[Any]:
    """Select the model of the latest vector of each memory."""
    return _latest(MemoryEmbedding, "memory_id", _name)


def of_messages(*, with_model: bool = False) -> Select[Any]:
    """Select the vector of each message, of a model or the latest."""
    return _latest(MessageEmbedding, "message_id", _numbers, with_model=with_model)


def times_of_messages(*, with_model: bool = False) -> Select[Any]:
    """Select when the vector of each message was written."""
    return _latest(MessageEmbedding, "message_id", _time, with_model=with_model)


def models_of_messages() -> Select[Any]:
    """Select the model of the latest vector of each message."""
    return _latest(MessageEmbedding, "message_id", _name)


def counts_of_bases(*, next_: bool = False) -> Select[Any]:
    """Count the chunks of each base that have a vector of its complete model, or of its next one."""
    base = aliased(KnowledgeBase)
    return _counts(base, base.id, base, next_=next_)


def counts_of_versions(*, next_: bool = False) -> Select[Any]:
    """Count the chunks of each version that have a vector of its base's model, or of the next one."""
    base, version = aliased(KnowledgeBase), aliased(KnowledgeVersion)
    own = and_(owned(version), base.id == version.knowledge_base_id)
    return _counts(base, version.id, version, own, KnowledgeEmbedding.version_id == version.id, next_=next_)


def _counts(base: Any, key: Any, of: Any, *conditions: Any, next_: bool) -> Select[Any]:
    keys = keys_table()
    model, size = base.embedding_model, base.dimensions
    if next_:
        model, size = base.next_embedding_model, base.next_dimensions
    counted = (
        select(func.count())
        .select_from(KnowledgeEmbedding)
        .join(base, and_(owned(base), base.id == KnowledgeEmbedding.knowledge_base_id))
        .where(
            owned(KnowledgeEmbedding),
            KnowledgeEmbedding.model == model,
            KnowledgeEmbedding.dimensions == size,
            key == keys.c.key,
        )
    )
    if conditions:
        join, *others = conditions
        counted = counted.join(of, join).where(*others)
    return select(keys.c.key, cast(counted.scalar_subquery(), Integer).label("value"))


def _of_complete_model(value: Any) -> Select[Any]:
    complete = and_(
        KnowledgeBase.id == KnowledgeEmbedding.knowledge_base_id,
        KnowledgeBase.embedding_model == KnowledgeEmbedding.model,
        KnowledgeBase.dimensions == KnowledgeEmbedding.dimensions,
    )
    return (
        select(KnowledgeEmbedding.chunk_id, value)
        .join(KnowledgeBase, complete)
        .where(owned(KnowledgeEmbedding), owned(KnowledgeBase), among_keys(KnowledgeEmbedding.chunk_id))
    )


def _latest(model: Any, key: str, value: Any, *, with_model: bool = False) -> Select[Any]:
    keys = keys_table()
    latest = select(value(model)).where(owned(model), getattr(model, key) == keys.c.key)
    if with_model:
        latest = latest.where(model.model == bindparam(_MODEL, type_=Text))
    chosen = latest.order_by(model.created_at.desc(), model.model).limit(1).lateral()
    return select(keys.c.key, chosen.c.value).select_from(keys.join(chosen, true()))


def _numbers(model: Any) -> Any:
    """Return a vector as JSON, which goes into the answer as it is."""
    return func.array_to_json(model.embedding, type_=JSON).label("value")


def _time(model: Any) -> Any:
    return model.created_at.label("value")


def _name(model: Any) -> Any:
    return model.model.label("value")
