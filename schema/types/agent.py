"""An AI agent and its configuration."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Gives, Ordering, Via, batch, column, page, relation
from models import Agent as AgentRow
from models import AgentKnowledgeBase, TeamMember
from models import AgentMetric as AgentMetricRow
from models import AgentVersion as AgentVersionRow
from models import KnowledgeBase as KnowledgeBaseRow
from models import Memory as MemoryRow
from models import Session as SessionRow
from models import Team as TeamRow
from models import User as UserRow
from resolvers import agents, series, statistics
from schema.declarations import object_type
from schema.inputs.agent_metric import AgentMetricFilter, AgentMetricOrder
from schema.inputs.agent_version import AgentVersionFilter, AgentVersionOrder
from schema.inputs.knowledge_base import KnowledgeBaseFilter, KnowledgeBaseOrder
from schema.inputs.memory import MemoryFilter, MemoryOrder
from schema.inputs.session import SessionFilter, SessionOrder
from schema.inputs.team import TeamFilter, TeamOrder
from schema.scalars import JSON
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent_metric import AgentMetric
    from schema.types.agent_version import AgentVersion
    from schema.types.knowledge_base import KnowledgeBase
    from schema.types.memory import Memory
    from schema.types.series_bucket import SeriesBucket
    from schema.types.session import Session
    from schema.types.statistics import Statistics
    from schema.types.team import Team
    from schema.types.user import User


@object_type(model=AgentRow)
class Agent(Node):
    """An AI agent and its configuration."""

    name: str = column("The name of the agent, unique among the project's agents.")
    external_id: str | None = column(
        "The id of the agent in another system, unique among the project's agents."
    )
    type: str | None = column("The kind of agent, such as `assistant`, `planner` or `custom`.")
    description: str | None = column("What the agent is for, in words.")
    provider: str | None = column(
        "The provider of the agent's model, such as `openai`, `anthropic` or `local`."
    )
    model: str | None = column("The model that the agent runs on, by the provider's name for it.")
    temperature: float | None = column(
        "The sampling temperature, from 0 to 100; most providers accept 0 to 2."
    )
    max_tokens: int | None = column("The maximum number of tokens in a response.")
    system_prompt: str | None = column("The instructions that frame the agent's sessions.")
    config: JSON = column("Any other configuration: a JSON object.")
    tools: JSON = column("The tools that the agent may call: a JSON array of definitions or names.")
    tool_count: int = batch(agents.tool_counts, "The number of tools that the agent may call.", Gives.VALUE)
    active: bool = column("Whether the agent is in use.")
    run_id: int | None = column("A run counter that the agent's framework maintains.")
    owner: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user who owns the agent, such as the creator of a custom agent.", local="owner_id"
    )
    specializations: list[str] = column("What the agent is good at, such as `billing` or `code review`.")
    learning_mode: str | None = column(
        "How the agent learns: `active`, `passive`, `supervised` or another value."
    )
    training_status: str | None = column(
        "How far the agent is trained: `initial`, `trained`, `fine-tuned` or another value."
    )
    last_active_at: datetime | None = batch(
        agents.last_active_at,
        "When something last happened in one of the agent's sessions; null if it has none. Maintained"
        " automatically.",
        Gives.VALUE,
    )
    total_sessions: int = column("The number of sessions of the agent. Maintained automatically.")
    success_rate: float | None = column(
        "The share of COMPLETED sessions among those that COMPLETED or FAILED, from 0 to 1; null if there"
        " are none. Maintained automatically."
    )
    updated_at: datetime = column("When the agent last changed.")
    active_version: Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")] | None = batch(
        agents.active_versions,
        "The version that is active now; null if none is.",
        Gives.ROW,
        model=AgentVersionRow,
    )
    versions: Connection[Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")]] = page(
        AgentVersionRow,
        "The versions of the agent, newest first.",
        filter_=AgentVersionFilter,
        order=AgentVersionOrder,
        remote="agent_id",
    )
    version_history: list[Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")]] = batch(
        agents.version_histories,
        f"The versions that are or were active, most recently activated first; at most {agents.MAX_HISTORY}.",
        Gives.ROWS,
        model=AgentVersionRow,
    )
    teams: Connection[Annotated["Team", strawberry.lazy("schema.types.team")]] = page(
        TeamRow,
        "The teams that the agent is a member of, ordered by name.",
        filter_=TeamFilter,
        order=TeamOrder,
        via=Via(TeamMember, "agent_id", "team_id"),
        default=(Ordering("name"),),
    )
    knowledge_bases: Connection[
        Annotated["KnowledgeBase", strawberry.lazy("schema.types.knowledge_base")]
    ] = page(
        KnowledgeBaseRow,
        "The knowledge bases that the agent uses, ordered by name.",
        filter_=KnowledgeBaseFilter,
        order=KnowledgeBaseOrder,
        via=Via(AgentKnowledgeBase, "agent_id", "knowledge_base_id"),
        default=(Ordering("name"),),
    )
    knowledge_base_count: int = batch(
        agents.knowledge_base_counts, "The number of knowledge bases that the agent uses.", Gives.VALUE
    )
    sessions: Connection[Annotated["Session", strawberry.lazy("schema.types.session")]] = page(
        SessionRow,
        "The sessions of the agent, latest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        remote="agent_id",
        default=(Ordering("started_at", descending=True),),
    )
    metrics: Connection[Annotated["AgentMetric", strawberry.lazy("schema.types.agent_metric")]] = page(
        AgentMetricRow,
        "The metrics of the agent, latest first.",
        filter_=AgentMetricFilter,
        order=AgentMetricOrder,
        remote="agent_id",
        default=(Ordering("timestamp", descending=True),),
    )
    series: list[Annotated["SeriesBucket", strawberry.lazy("schema.types.series_bucket")]] = series.field(
        "Measurements of the agent and of its sessions over time.", by="agent_id"
    )
    memories: Connection[Annotated["Memory", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRow,
        "The memories of the agent, newest first.",
        filter_=MemoryFilter,
        order=MemoryOrder,
        remote="agent_id",
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = statistics.field(
        "Totals and means over the sessions of the agent.", by="agent_id"
    )
