"""Writes of teams and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete as delete_from
from sqlalchemy.dialects.postgresql import insert as upsert

from agentdata.operations.values import check, check_not_empty
from models import Agent, Team, TeamMember

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.write import Write

MAX_MEMBERS = 1_000
"""How many members one write adds or removes."""


async def create(write: Write, values: dict[str, Any]) -> Team:
    """Add a team, with the agents under ``member_ids`` as its members."""
    member_ids = values.pop("member_ids", None) or []
    check(Team, values)
    [team] = await write.insert(Team, [values])
    if member_ids:
        await add_members(write, team.id, member_ids)
    return team


async def update(write: Write, id_: UUID, values: dict[str, Any]) -> Team:
    """Change a team."""
    check(Team, values)
    return await write.update(await write.get(Team, id_, lock=True), values)


async def delete(write: Write, id_: UUID) -> list[UUID]:
    """Delete a team. Its agents and sessions stay."""
    return await write.delete(Team, id_)


async def add_members(write: Write, id_: UUID, agent_ids: list[UUID]) -> Team:
    """Make agents members of a team; those that are already stay."""
    check_not_empty("agentIds", agent_ids, MAX_MEMBERS)
    team = await write.get(Team, id_)
    agents = await write.get_all(Agent, agent_ids, field="agentIds")
    rows = [{"project_id": write.project_id, "team_id": team.id, "agent_id": agent.id} for agent in agents]
    await write.session.execute(upsert(TeamMember).values(rows).on_conflict_do_nothing())
    return team


async def remove_members(write: Write, id_: UUID, agent_ids: list[UUID]) -> Team:
    """End agents' membership of a team; those that are no members are left alone."""
    check_not_empty("agentIds", agent_ids, MAX_MEMBERS)
    team = await write.get(Team, id_)
    await write.session.execute(
        delete_from(TeamMember).where(
            *write.owns(TeamMember), TeamMember.team_id == team.id, TeamMember.agent_id.in_(agent_ids)
        )
    )
    return team
