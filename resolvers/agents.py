"""Fields of agents that are read from their versions, sessions and knowledge bases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, Select, cast, func, select, true
from sqlalchemy.orm import aliased

from agentdata.engine.sql.links import among_keys, keys_table
from agentdata.engine.sql.tenancy import owned
from models import Agent, AgentKnowledgeBase, AgentVersion, Session

MAX_HISTORY = 500
"""The maximum number of versions in a history."""


def last_active_at() -> Select[Any]:
    """Select the last activity in any session of each agent, read from the end of an index."""
    keys = keys_table()
    latest = select(func.max(Session.last_activity_at)).where(owned(Session), Session.agent_id == keys.c.key)
    return select(keys.c.key, latest.scalar_subquery().label("value"))


def tool_counts() -> Select[Any]:
    """Count the tools of each agent."""
    tools: Any = func.jsonb_array_length(Agent.tools, type_=Integer).label("value")
    return select(Agent.id, tools).where(owned(Agent), among_keys(Agent.id))


def knowledge_base_counts() -> Select[Any]:
    """Count the knowledge bases that each agent uses."""
    keys = keys_table()
    used = select(func.count()).where(owned(AgentKnowledgeBase), AgentKnowledgeBase.agent_id == keys.c.key)
    return select(keys.c.key, cast(used.scalar_subquery(), Integer).label("value"))


def active_versions() -> Select[Any]:
    """Select the active version of each agent."""
    active: Any = select(AgentVersion.agent_id, AgentVersion).where(
        owned(AgentVersion), among_keys(AgentVersion.agent_id), AgentVersion.is_active.is_(True)
    )
    return active  # type: ignore[no-any-return]  # the columns do not matter here


def version_histories() -> Select[Any]:
    """Select the versions of each agent that are or were active, the latest first."""
    keys = keys_table()
    activated = (
        select(AgentVersion)
        .where(
            owned(AgentVersion), AgentVersion.agent_id == keys.c.key, AgentVersion.activated_at.is_not(None)
        )
        .order_by(AgentVersion.activated_at.desc(), AgentVersion.id.desc())
        .limit(MAX_HISTORY)
        .lateral()
    )
    return select(keys.c.key, aliased(AgentVersion, activated)).select_from(keys.join(activated, true()))
