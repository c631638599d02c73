"""Write operations of agents. The operations of sessions maintain the session counts of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete as delete_from

from agentdata.checks import check, check_tags
from agentdata.operations import deletion
from models import Agent, AgentVersion

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork


def _normalize(values: dict[str, Any]) -> dict[str, Any]:
    check(Agent, values)
    if values.get("specializations") is not None:
        values = values | {"specializations": check_tags("specializations", values["specializations"])}
    return values


async def create(write: UnitOfWork, values: dict[str, Any]) -> Agent:
    """Add an agent, in a single statement unless a transaction has begun."""
    [agent] = await write.insert(Agent, [_normalize(values)], alone=True)
    return agent


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> Agent:
    """Update an agent."""
    return await write.update(await write.get(Agent, id_, lock=True), _normalize(values))


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete an agent with its versions and metrics. Its sessions, messages and memories stay."""
    await deletion.clear(write, Agent, [id_])
    await write.get(Agent, id_, lock=True)
    # Versions first: otherwise the database might clear a session's agent before its version, and a session
    # may not have a version without an agent.
    await write.execute(
        delete_from(AgentVersion).where(*write.in_project(AgentVersion), AgentVersion.agent_id == id_)
    )
    return await write.delete(Agent, id_)
