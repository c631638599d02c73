"""Write operations of agent versions. At most one version of an agent is active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy import update as update_rows

from agentdata.checks import check
from agentdata.errors import BadUserInputError
from agentdata.operations import deletion
from models import Agent, AgentVersion

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork


async def create(write: UnitOfWork, values: dict[str, Any]) -> AgentVersion:
    """Add a version to an agent; ``activate`` among the values makes it active."""
    check(AgentVersion, values)
    # The agent's lock serializes writers of its versions, so two activations cannot both win.
    await write.get(Agent, values["agent_id"], field="agentId", lock=True)
    if values.get("created_by_user_id") and values.get("created_by_agent_id"):
        raise BadUserInputError(
            "a version is created by a user or by an agent, not by both", field="createdByAgentId"
        )
    # Do not change `values`: a retried write gets them again.
    columns = {name: value for name, value in values.items() if name != "activate"}
    [version] = await write.insert(AgentVersion, [columns])
    return await _activate(write, version) if values.get("activate") else version


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> AgentVersion:
    """Update a version."""
    check(AgentVersion, values)
    return await write.update(await write.get(AgentVersion, id_, lock=True), values)


async def activate(write: UnitOfWork, id_: UUID) -> AgentVersion:
    """Make a version the active one of its agent; do nothing if it already is."""
    version = await write.get(AgentVersion, id_)
    await write.get(Agent, version.agent_id, lock=True)
    version = await write.get(AgentVersion, id_, lock=True)
    return version if version.is_active else await _activate(write, version)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a version. Its sessions stay, without a version."""
    await deletion.clear(write, AgentVersion, [id_])
    return await write.delete(AgentVersion, id_)


async def _activate(write: UnitOfWork, version: AgentVersion) -> AgentVersion:
    # Not `now()`: if this waited for the agent's lock, the transaction may have begun before the previous
    # version was activated.
    [now] = await write.scalars(select(func.clock_timestamp()))
    await write.execute(
        update_rows(AgentVersion)
        .where(
            *write.in_project(AgentVersion),
            AgentVersion.agent_id == version.agent_id,
            AgentVersion.is_active.is_(True),
        )
        .values(is_active=False, deactivated_at=now, updated_at=now)
    )
    return await write.update(version, {"is_active": True, "activated_at": now, "deactivated_at": None})
