"""Write operations of teams and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete as delete_from
from sqlalchemy.dialects.postgresql import insert as upsert

from agentdata.checks import check, check_count
from agentdata.operations import deletion
from models import Agent, Team, TeamMember

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_MEMBERS = 1_000
"""How many members one write may add or remove."""


async def create(write: UnitOfWork, values: dict[str, Any]) -> Team:
    """Add a team; its members are the agents in ``member_ids``."""
    check(Team, values)
    member_ids = values.get("member_ids") or []
    # Do not change `values`: a retried write gets them again.
    columns = {name: value for name, value in values.items() if name != "member_ids"}
    [team] = await write.insert(Team, [columns])
    if member_ids:
        await _add(write, team, member_ids, "memberIds")
    return team


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> Team:
    """Update a team."""
    check(Team, values)
    return await write.update(await write.get(Team, id_, lock=True), values)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a team. Its agents and sessions stay."""
    await deletion.clear(write, Team, [id_])
    return await write.delete(Team, id_)


async def add_members(write: UnitOfWork, id_: UUID, agent_ids: list[UUID]) -> Team:
    """Add members to a team; ignore agents that are already members."""
    team = await write.get(Team, id_, field="teamId")
    await _add(write, team, agent_ids, "agentIds")
    return team


async def remove_members(write: UnitOfWork, id_: UUID, agent_ids: list[UUID]) -> Team:
    """Remove members from a team; ignore agents that are not members."""
    check_count("agentIds", agent_ids, MAX_MEMBERS)
    team = await write.get(Team, id_, field="teamId")
    await write.execute(
        delete_from(TeamMember).where(
            *write.in_project(TeamMember), TeamMember.team_id == team.id, TeamMember.agent_id.in_(agent_ids)
        )
    )
    return team


async def _add(write: UnitOfWork, team: Team, agent_ids: list[UUID], field: str) -> None:
    check_count(field, agent_ids, MAX_MEMBERS)
    agents = await write.get_all(Agent, agent_ids, field=field)
    rows = [{"project_id": write.project_id, "team_id": team.id, "agent_id": agent.id} for agent in agents]
    await write.execute(upsert(TeamMember).values(rows).on_conflict_do_nothing())
