"""Writes of agents. What they count of their sessions is kept by the writes of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete as delete_from

from agentdata.checks import check, check_tags
from agentdata.operations import deletion
from models import Agent, AgentVersion

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    check(Agent, values)
    if values.get("specializations") is not None:
        values = values | {"specializations": check_tags("specializations", values["specializations"])}
    return values


async def create(write: UnitOfWork, values: dict[str, Any]) -> Agent:
    """Add an agent. It is all that its transaction writes, unless that was begun before."""
    [agent] = await write.insert(Agent, [_checked(values)], alone=True)
    return agent


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> Agent:
    """Change an agent."""
    return await write.update(await write.get(Agent, id_, lock=True), _checked(values))


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete an agent with its versions and metrics. Sessions, messages and memories stay, without it."""
    await deletion.clear(write, Agent, [id_])
    await write.get(Agent, id_, lock=True)
    # First the versions, then the agent: the database would take the agent off a session before the version,
    # or after it, by chance, and a session may not have a version without an agent.
    await write.execute(
        delete_from(AgentVersion).where(*write.owns(AgentVersion), AgentVersion.agent_id == id_)
    )
    return await write.delete(Agent, id_)
