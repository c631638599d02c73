"""Write operations of knowledge bases, their versions, and the agents that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete as delete_from

from agentdata.checks import check, check_count
from agentdata.errors import BadUserInputError
from agentdata.operations import deletion, knowledge_embeddings, knowledge_refreshes
from models import Agent, AgentKnowledgeBase, KnowledgeBase, KnowledgeVersion

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_LINKS = 1_000
"""How many agents and knowledge bases one write may link or unlink."""

_AGENTS = "agent_ids"

_LINK = """
INSERT INTO agent_knowledge_bases (project_id, agent_id, knowledge_base_id)
SELECT $1, pair.* FROM unnest($2::uuid[], $3::uuid[]) AS pair ORDER BY 2, 3 ON CONFLICT DO NOTHING"""
"""Inserts pairs in the order of their keys, so that two writers cannot deadlock."""

_COUNT = """
WITH held AS MATERIALIZED (
  SELECT id FROM knowledge_versions WHERE project_id = $1 AND id = ANY($2::uuid[])
  ORDER BY id FOR NO KEY UPDATE
)
UPDATE knowledge_versions AS own SET document_count = greatest(document_count + documents, 0),
  chunk_count = greatest(chunk_count + chunks, 0)
FROM held JOIN unnest($2::uuid[], $3::int[], $4::int[]) AS more (id, documents, chunks) ON more.id = held.id
WHERE own.project_id = $1 AND own.id = held.id"""
"""Locks versions in the order of their keys. ``greatest`` lets a wrong count block no write."""


async def create(write: UnitOfWork, values: dict[str, Any]) -> KnowledgeBase:
    """Add a knowledge base; the agents in ``agent_ids`` use it."""
    check(KnowledgeBase, values)
    if write.embedding_model is not None and "embedding_model" not in values:
        # Texts may be sent without vectors, so the base takes those that are made of them.
        values = {**values, "embedding_model": write.embedding_model}
    await knowledge_embeddings.check_change(write, None, values)
    # Do not change `values`: a retried write gets them again.
    columns = {name: value for name, value in values.items() if name != _AGENTS}
    [base] = await write.insert(KnowledgeBase, [columns])
    agent_ids: list[UUID] = list(dict.fromkeys(values.get(_AGENTS) or []))
    if len(agent_ids) > MAX_LINKS:
        raise BadUserInputError(
            f"agentIds has {len(agent_ids)} items; it may have at most {MAX_LINKS}", field="agentIds"
        )
    await write.get_all(Agent, agent_ids, field="agentIds", keep=True)
    if agent_ids:
        await write.fetch(_LINK, write.project_id, agent_ids, [base.id] * len(agent_ids))
    if knowledge_refreshes.is_refreshed(base):
        await knowledge_refreshes.put(write, base)
    return base


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> KnowledgeBase:
    """Update a knowledge base."""
    check(KnowledgeBase, values)
    base = await write.get(KnowledgeBase, id_, lock=True)
    await knowledge_embeddings.check_change(write, base, values)
    was_refreshed = knowledge_refreshes.is_refreshed(base)
    base = await write.update(base, values)
    if knowledge_refreshes.is_refreshed(base):
        await knowledge_refreshes.put(write, base)
    elif was_refreshed:
        await knowledge_refreshes.delete(write, base.id)
    return base


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a knowledge base with its versions, documents, chunks and syncs. Its agents stay."""
    await deletion.clear(write, KnowledgeBase, [id_])
    await knowledge_refreshes.delete(write, id_)
    return await write.delete(KnowledgeBase, id_)


async def delete_version(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a version of a knowledge base with its documents and chunks."""
    await deletion.clear(write, KnowledgeVersion, [id_])
    return await write.delete(KnowledgeVersion, id_)


async def link(write: UnitOfWork, agent_id: UUID, knowledge_base_ids: list[UUID]) -> Agent:
    """Let an agent use knowledge bases; ignore those that it uses already."""
    check_count("knowledgeBaseIds", knowledge_base_ids, MAX_LINKS)
    ids = list(dict.fromkeys(knowledge_base_ids))
    [agent] = await write.get_all(Agent, [agent_id], field="agentId", keep=True)
    await write.get_all(KnowledgeBase, ids, field="knowledgeBaseIds", keep=True)
    await write.fetch(_LINK, write.project_id, [agent_id] * len(ids), ids)
    return agent


async def unlink(write: UnitOfWork, agent_id: UUID, knowledge_base_ids: list[UUID]) -> Agent:
    """Let an agent no longer use knowledge bases; ignore those that it does not use."""
    check_count("knowledgeBaseIds", knowledge_base_ids, MAX_LINKS)
    agent = await write.get(Agent, agent_id, field="agentId")
    await write.execute(
        delete_from(AgentKnowledgeBase).where(
            *write.in_project(AgentKnowledgeBase),
            AgentKnowledgeBase.agent_id == agent_id,
            AgentKnowledgeBase.knowledge_base_id.in_(knowledge_base_ids),
        )
    )
    return agent


async def count(write: UnitOfWork, changes: dict[UUID, tuple[int, int]]) -> None:
    """Add numbers of documents and of chunks to the counts of versions, which are locked last of all."""
    if changes:
        documents, chunks = zip(*changes.values(), strict=True)
        await write.fetch(_COUNT, write.project_id, [*changes], [*documents], [*chunks])
