"""What agents know of their versions and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, true
from sqlalchemy.orm import aliased

from agentdata.execution.links import among, keys_of
from agentdata.execution.reader import Reader
from models import Agent, AgentVersion, Session

MAX_HISTORY = 500
"""How many versions a history shows."""


async def last_active_at(reader: Reader, agents: list[Agent]) -> Sequence[datetime | None]:
    """Give when something last happened in a session of each agent, read off the end of an index."""
    keys = keys_of([agent.id for agent in agents])
    latest = (
        select(func.max(Session.last_activity_at))
        .where(Session.project_id == reader.project_id, Session.agent_id == keys.c.key)
        .scalar_subquery()
    )
    found = await reader.pairs(select(keys.c.key, latest))
    return [found[agent.id] for agent in agents]


async def active_versions(reader: Reader, agents: list[Agent]) -> Sequence[AgentVersion | None]:
    """Give the active version of each agent."""
    statement = select(AgentVersion).where(
        AgentVersion.project_id == reader.project_id,
        among(AgentVersion.agent_id, [agent.id for agent in agents]),
        AgentVersion.is_active.is_(True),
    )
    active = {version.agent_id: version for (version,) in await reader.execute(statement)}
    return [active.get(agent.id) for agent in agents]


async def version_histories(reader: Reader, agents: list[Agent]) -> Sequence[list[AgentVersion]]:
    """Give the versions of each agent that have been active, the latest first."""
    keys = keys_of([agent.id for agent in agents])
    activated = (
        select(AgentVersion)
        .where(
            AgentVersion.project_id == reader.project_id,
            AgentVersion.agent_id == keys.c.key,
            AgentVersion.activated_at.is_not(None),
        )
        .order_by(AgentVersion.activated_at.desc(), AgentVersion.id.desc())
        .limit(MAX_HISTORY)
        .lateral()
    )
    statement = select(keys.c.key, aliased(AgentVersion, activated)).select_from(keys.join(activated, true()))
    histories: dict[Any, list[AgentVersion]] = {agent.id: [] for agent in agents}
    for row in await reader.execute(statement):
        histories[row[0]].append(row[1])
    return [histories[agent.id] for agent in agents]
